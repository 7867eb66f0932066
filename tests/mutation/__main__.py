"""`python -m tests.mutation`: mutmut over the code that decides, and its survivors compared with docs/testing/mutation.md.

Works on a copy in var/mutation, since mutmut copies all of tests/. [tool.mutmut] in pyproject.toml names the modules and
their tests. Fails where a survivor is not listed, where a listed one is killed or gone, or where nothing was mutated.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path
from typing import NamedTuple

FOLDER = Path("var/mutation")
LIST = Path("docs/testing/mutation.md")
SOURCES = ("hepar", "auth_service")
KILLED = {"killed", "timeout"}
_ENTRY = re.compile(r"^### `(\S+)`\n+```diff\n(.*?)\n```\n+(\S.*?)$", re.MULTILINE | re.DOTALL)


class Survivor(NamedTuple):
    """A function and the changed lines of its diff, each with its leading + or -."""

    function: str
    change: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join([f"### `{self.function}`", "", "```diff", *self.change, "```"])


def listed(text: str) -> set[Survivor]:
    """The survivors in the page; each has a diff and a reason."""
    return {Survivor(function, changed_lines(diff)) for function, diff, _ in _ENTRY.findall(text)}


def changed_lines(diff: str) -> tuple[str, ...]:
    """Without the file headers and without indentation."""
    lines = [line for line in diff.splitlines() if re.match(r"[-+](?![-+]{2} )", line)]
    return tuple(f"{line[0]} {line[1:].strip()}" for line in lines)


def function_of(mutant: str) -> str:
    """`pkg.module.xǁClassǁmethod__mutmut_3` or `pkg.module.x_function__mutmut_3`, as `pkg.module.Class.method`."""
    module, _, mangled = mutant.rpartition("__mutmut_")[0].rpartition(".")
    name = mangled.removeprefix("x").removeprefix("_") if "ǁ" not in mangled else mangled.removeprefix("xǁ")
    return f"{module}.{name.replace('ǁ', '.')}"


def mutmut(*arguments: str, capture: bool = True) -> str:
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-m", "mutmut", *arguments],
        cwd=FOLDER,
        check=True,
        text=True,
        stdout=subprocess.PIPE if capture else None,
    )
    return done.stdout or ""


def copy_project() -> None:
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    shutil.copy("pyproject.toml", FOLDER)
    ignored = shutil.ignore_patterns("__pycache__")
    for source in SOURCES:
        shutil.copytree(source, FOLDER / source, ignore=ignored)
    configured = tomllib.loads(Path("pyproject.toml").read_text())["tool"]["mutmut"]
    for path in map(Path, configured["pytest_add_cli_args_test_selection"]):
        target = FOLDER / path
        if path.is_dir():
            shutil.copytree(path, target, ignore=ignored)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)


def main(processes: str = "1") -> int:
    copy_project()
    mutmut("run", "--max-children", processes, capture=False)
    status_of = dict(line.strip().rsplit(": ", 1) for line in mutmut("results", "--all", "true").splitlines())
    survivors = {
        Survivor(function_of(mutant), changed_lines(mutmut("show", mutant)))
        for mutant, status in status_of.items()
        if status not in KILLED
    }
    expected = listed(LIST.read_text())
    print(dict(Counter(status_of.values())))  # noqa: T201
    for survivor in sorted(survivors - expected):
        print(f"\nNot killed and not listed in {LIST}:\n{survivor}")  # noqa: T201
    for survivor in sorted(expected - survivors):
        print(f"\nListed in {LIST}, but killed or gone:\n{survivor}")  # noqa: T201
    return 0 if status_of and survivors == expected else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
