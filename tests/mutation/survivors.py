"""Surviving mutants, as mutmut names them and as docs/testing/mutation.md lists them."""

from __future__ import annotations

import re
from typing import NamedTuple

# A heading with the function, a diff, and a reason.
_DIFF = re.compile(r"```diff\n((?:[-+] .*\n)+)```\n+")
_ENTRY = re.compile(rf"^### `(\S+)`\n+((?:{_DIFF.pattern})+)(?=\w)", re.MULTILINE)


class Survivor(NamedTuple):
    """change: the removed and the added lines, each with - or + in front."""

    function: str
    change: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join([f"### `{self.function}`", "", "```diff", *self.change, "```"])


def listed(page: str) -> set[Survivor]:
    """Those in the page that have a reason. One heading can have several diffs with one reason."""
    return {
        Survivor(function, changed_lines(diff))
        for function, diffs, _ in _ENTRY.findall(page)
        for diff in _DIFF.findall(diffs)
    }


def changed_lines(diff: str) -> tuple[str, ...]:
    """Of a unified diff, without its file names and without indentation."""
    changed = [line for line in diff.splitlines() if line[:1] in ("-", "+") and line[:3] not in ("---", "+++")]
    return tuple(f"{line[0]} {line[1:].strip()}" for line in changed)


def function_of(mutant: str) -> str:
    """`a.b.x_function__mutmut_3` is of `a.b.function`, and `a.b.xǁClassǁmethod__mutmut_3` of `a.b.Class.method`."""
    module, _, name = mutant.rpartition("__mutmut_")[0].rpartition(".")
    return f"{module}.{name[2:].replace('ǁ', '.')}"
