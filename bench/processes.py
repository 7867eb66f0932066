"""Process trees and what they cost."""

from __future__ import annotations

from collections.abc import Iterable

import psutil


def family(root: psutil.Process) -> list[psutil.Process]:
    """A process and all that it started, itself first."""
    return [root, *root.children(recursive=True)]


def cpu_s(processes: Iterable[psutil.Process]) -> float:
    """Processor time that they have used."""
    times = [process.cpu_times() for process in processes]
    return sum(each.user + each.system for each in times)


def command_line(process: psutil.Process) -> str:
    """Words with one space between them: titles of forked processes are padded."""
    return " ".join(" ".join(process.cmdline()).split())
