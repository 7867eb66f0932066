"""Processor time of every process of the stack for one image, through the gateway."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Sequence

from bench.measurement import START_AND_STOP_S, RunningStack, Workload, load, load_order
from bench.processes import cpu_s

_WARM_UP_IMAGES = 50
_SLOWEST_IMAGE_S = 1.0


def processor_times(
    stack: RunningStack, workload: Workload, clients: int, images: int, rounds: int, batch: int = 1
) -> Iterator[dict[str, float]]:
    """For each round: milliseconds for one image, by process. Raises MeasurementFailed.

    images: of a round.  batch: images of a request.
    """
    account = stack.sign_up()
    for number, wanted in enumerate((_WARM_UP_IMAGES, *[images] * rounds)):
        order = load_order("gateway", workload, stack, account, batch) | {"clients": clients, "warm_up_s": 0}
        before = _used_s(stack)
        answer = load(order | {"requests": math.ceil(wanted / batch)}, wanted * _SLOWEST_IMAGE_S + START_AND_STOP_S)
        answered = len(answer["latencies_ms"]) * batch
        used_s = _used_s(stack)
        if number > 0:
            yield {name: (used_s[name] - before.get(name, 0)) / answered * 1000 for name in used_s}


def _used_s(stack: RunningStack) -> dict[str, float]:
    """By process; what a process started is together."""
    used: dict[str, float] = {}
    for name, (process, *started) in stack.families():
        for key, processes in ((name, [process]), (f"{name}: what it started", started)):
            used[key] = used.get(key, 0) + cpu_s(processes)
    return used


def processor_time_lines(measured: Sequence[dict[str, float]]) -> list[str]:
    """Markdown. measured: of each round."""
    lines = ["| process | ms an image, median | lowest | highest |", "|---|---|---|---|"]
    for name in measured[0]:
        values = [each.get(name, 0.0) for each in measured]
        if max(values) >= 0.1:
            lines.append(f"| {name} | {statistics.median(values):.1f} | {min(values):.1f} | {max(values):.1f} |")
    return lines
