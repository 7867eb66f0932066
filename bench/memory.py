"""Memory of every process of the stack while the gateway answers many requests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.measurement import START_AND_STOP_S, MeasurementFailed, RunningStack, Workload, load, load_order

_STEPS = 10
_CLIENTS = 4
_SLOWEST_IMAGE_S = 2.0
_IMAGES_OF_TOKEN = 250
"""An access token expires after ten minutes: on a machine that does other work they last for so many images."""


@dataclass(frozen=True)
class MemorySample:
    """images: answered so far.  bytes_by_process: proportional set sizes, see RunningStack.memory_bytes."""

    images: int
    bytes_by_process: dict[str, int]

    def line(self) -> str:
        sizes = ", ".join(f"{name} {size / 1e6:.1f} MB" for name, size in self.bytes_by_process.items())
        return f"{self.images} images: {sizes}"


def memory_samples(stack: RunningStack, workload: Workload, requests: int) -> Iterator[MemorySample]:
    """Before the first image, and after every tenth of `requests`. Raises MeasurementFailed."""
    if requests < _STEPS:
        raise MeasurementFailed(f"{requests} images are too few: at least {_STEPS}")
    account = stack.sign_up()
    yield MemorySample(0, stack.memory_bytes())
    step = requests // _STEPS
    for number in range(1, _STEPS + 1):
        for first in range(0, step, _IMAGES_OF_TOKEN):
            images = min(_IMAGES_OF_TOKEN, step - first)
            order = load_order("gateway", workload, stack, account) | {"clients": _CLIENTS, "requests": images}
            load(order, images * _SLOWEST_IMAGE_S + START_AND_STOP_S)
        yield MemorySample(number * step, stack.memory_bytes())


def memory_lines(samples: Sequence[MemorySample]) -> list[str]:
    """Markdown: each process at the start, after a tenth and at the end, and its change between the last two.

    What is loaded for the first image is no growth; therefore the change is that after a tenth of the images.
    """
    start, tenth, end = samples[0], samples[1], samples[-1]
    heads = ("MB at the start", f"after {tenth.images} images", f"after {end.images} images")
    lines = [f"| process | {' | '.join(heads)} | change from {tenth.images} |", "|---|---|---|---|---|"]
    for name, first in tenth.bytes_by_process.items():
        last, at_start = end.bytes_by_process[name], start.bytes_by_process.get(name, 0)
        sizes = " | ".join(f"{size / 1e6:.1f}" for size in (at_start, first, last))
        lines.append(f"| {name} | {sizes} | {(last / first - 1) * 100:+.1f} % |")
    return lines
