"""Files and functions stay short enough to be read at once (issue 19): 300 and 50 lines."""

from __future__ import annotations

import ast
import gc
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILE_LINES_MAX, FUNCTION_LINES_MAX = 300, 50
LANGUAGES = (".py", ".ts", ".tsx", ".mts", ".sh")
GENERATED = ("clients/typescript/src/schema.d.ts",)


def sources() -> list[Path]:
    """Tracked source files outside of tests and generated code."""
    names = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    return [
        ROOT / name
        for name in names
        if name.endswith(LANGUAGES) and not name.startswith("tests/") and name not in GENERATED
    ]


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="needs the list of tracked files")
def test_no_file_has_more_than_300_lines() -> None:
    lines = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in sources() if path.exists()}
    assert len(lines) > 100
    assert {name: count for name, count in lines.items() if count > FILE_LINES_MAX} == {}


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="needs the list of tracked files")
def test_no_function_has_more_than_50_lines() -> None:
    """Migrations are lists of tables, which are not to be split after they were released."""
    gc.collect()  # a finalizer whose warning is formatted within ast.parse makes it fail in Python 3.11
    long = {
        f"{path.relative_to(ROOT)}: {node.name}": length
        for path in sources()
        if path.suffix == ".py" and path.exists() and "migrations" not in path.parts
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := (node.end_lineno or 0) - node.lineno + 1) > FUNCTION_LINES_MAX
    }
    assert long == {}
