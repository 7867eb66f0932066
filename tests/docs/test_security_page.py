"""docs/security.md names tests that exist, at least one for every threat, and each risk of the OWASP API Top 10."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest

from tests.docs.references import ROOT

PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
CELLS = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if line.startswith("|")]
ROWS = [row for row in CELLS if len(row) == 5 and row[0] not in ("threat", "---")]
TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


@cache
def functions(file: str) -> frozenset[str]:
    path = ROOT / file
    tree = ast.parse(path.read_text(encoding="utf-8")) if path.exists() else ast.Module([], [])
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_every_threat_has_a_control_and_tests_that_exist(row: list[str]) -> None:
    threat, control, tests, risks, sections = row
    named = TEST.findall(tests)
    assert threat
    assert control
    assert named
    assert [f"{file}::{name}" for file, name in named if name not in functions(file)] == []
    assert re.fullmatch(r"API\d+(, API\d+)*", risks)
    assert re.fullmatch(r"V\d+\.\d+(, V\d+\.\d+)*", sections)


def test_every_risk_of_the_top_ten_has_a_row() -> None:
    named = {risk for row in ROWS for risk in row[3].split(", ")}
    assert named == {f"API{number}" for number in range(1, 11)}
