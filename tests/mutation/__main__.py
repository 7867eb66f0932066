"""`python -m tests.mutation [PROCESSES]`: mutation tests; compares the survivors with docs/testing/mutation.md.

Runs mutmut on a copy in var/mutation, because mutmut itself would copy all of tests/. [tool.mutmut] in pyproject.toml
names the modules and their tests. Fails where a surviving mutant is not listed, or a listed one does not survive.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

from tests.mutation.survivors import Survivor, changed_lines, function_of, listed

FOLDER = Path("var/mutation")
PAGE = Path("docs/testing/mutation.md")
KILLED = {"killed", "timeout"}


def mutmut(*arguments: str, stdout: int | None = subprocess.PIPE) -> str:
    command = [sys.executable, "-m", "mutmut", *arguments]
    return subprocess.run(command, cwd=FOLDER, check=True, text=True, stdout=stdout).stdout or ""


def copy_project(settings: dict[str, Any]) -> None:
    shutil.rmtree(FOLDER, ignore_errors=True)
    for path in map(
        Path, ["pyproject.toml", *settings["source_paths"], *settings["pytest_add_cli_args_test_selection"]]
    ):
        target = FOLDER / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            shutil.copytree(path, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(path, target)


def survivors(status_by_mutant: dict[str, str]) -> set[Survivor]:
    names = [mutant for mutant, status in status_by_mutant.items() if status not in KILLED]
    return {Survivor(function_of(name), changed_lines(mutmut("show", name))) for name in names}


def main(processes: int) -> int:
    copy_project(tomllib.loads(Path("pyproject.toml").read_text())["tool"]["mutmut"])
    mutmut("run", "--max-children", str(processes), stdout=None)
    status_by_mutant: dict[str, str] = dict(re.findall(r"(\S+): (.+)", mutmut("results", "--all", "true")))
    found, expected = survivors(status_by_mutant), listed(PAGE.read_text())
    print(f"{len(status_by_mutant)} mutants: {dict(Counter(status_by_mutant.values()))}")  # noqa: T201
    for survivor in sorted(found - expected):
        print(f"\nNot killed, and not listed in {PAGE}:\n\n{survivor}")  # noqa: T201
    for survivor in sorted(expected - found):
        print(f"\nListed in {PAGE}, but killed or gone:\n\n{survivor}")  # noqa: T201
    return 0 if status_by_mutant and found == expected else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else os.cpu_count() or 1))
