"""`python -m bench`: throughput, memory over many requests, and the effect of configuration choices."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from bench import hops as hops_report
from bench.event_loop import longest_callbacks
from bench.hops import measure_hops, write_candidate
from bench.idle import check_idle, idle_lines, measure_idle
from bench.large_upload import check_uploads, measure_uploads, upload_lines
from bench.long_study import length_lines, measure_lengths
from bench.machine import machine
from bench.measurement import (
    START_AND_STOP_S,
    Cell,
    MeasurementFailed,
    Workload,
    load,
    load_order,
    measure,
)
from bench.memory import memory_lines, memory_samples
from bench.package_profile import CLIENTS, SERVICES, package_profile, profile_lines
from bench.processor_time import processor_time_lines, processor_times
from bench.report import rows_of, table, write
from bench.segmenter_cost import WITH, WITHOUT, costs_of, measure_segmenter, table_of, write_repository_without
from bench.stack_process import FOLDER, running_stack_process
from bench.stored_study import upload_of
from bench.study import lines_of, measure_study
from bench.study_scaling import ScalingCosts, measure_scaling, scaling_lines
from bench.study_volume import SAMPLE_STUDY
from bench.variants import VARIANTS, write_variant
from local_stack.demo_client import DemoFailed
from local_stack.settings import StackSettings
from study_service.slice_models import SliceLimits
from tests.support.postgresql import postgresql_server


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    throughput = commands.add_parser("throughput", help="ONNX Runtime alone, Triton, each service and the gateway")
    throughput.add_argument("--clients", type=int, nargs="+", default=[1, 4, 16])
    throughput.add_argument("--seconds", type=float, default=5, help="duration of each measurement")
    throughput.add_argument("--rounds", type=int, default=3, help="rounds, in which all targets alternate")
    throughput.add_argument("--out", type=Path, default=FOLDER)
    memory = commands.add_parser("memory", help="memory of every process while a service answers many requests")
    memory.add_argument("--requests", type=int, default=10_000)
    memory.add_argument("--workload", choices=["classification", "detection"], default="classification")
    processor_time = commands.add_parser("cpu", help="processor time of every process for one image")
    processor_time.add_argument("--clients", type=int, default=4)
    processor_time.add_argument("--images", type=int, default=200, help="images of a round")
    processor_time.add_argument("--batch", type=int, default=1, help="images of a request")
    processor_time.add_argument("--rounds", type=int, default=5)
    processor_time.add_argument("--workload", choices=["classification", "detection"], default="classification")
    processor_time.add_argument("--out", type=Path, default=FOLDER)
    profile = commands.add_parser("profile", help="packages that use the processor time of a service's event loop")
    profile.add_argument("--images", type=int, default=400)
    profile.add_argument("--out", type=Path, default=FOLDER)
    idle = commands.add_parser("idle", help="start and memory of the idle stack; fails far above its memory")
    idle.add_argument("--starts", type=int, default=2, help="the first finds no databases")
    idle.add_argument("--settle", type=float, default=60, help="seconds between readiness and the measurement")
    idle.add_argument("--out", type=Path, default=FOLDER)
    tuning = commands.add_parser("tune", help="threads, instances and batching: the gateway with each variant")
    tuning.add_argument("--clients", type=int, nargs="+", default=[1, 4])
    tuning.add_argument("--seconds", type=float, default=5)
    tuning.add_argument("--rounds", type=int, default=2)
    segmenter = commands.add_parser("segmenter", help="each service with and without the segmenter's call")
    segmenter.add_argument("--clients", type=int, nargs="+", default=[1, 4])
    segmenter.add_argument("--seconds", type=float, default=5)
    segmenter.add_argument("--rounds", type=int, default=3)
    segmenter.add_argument("--out", type=Path, default=FOLDER)
    commands.add_parser("event-loop", help="longest callback of a model service with a 64-megapixel image in flight")
    study = commands.add_parser("study", help="the model work of one study, through the services and by ORT alone")
    study.add_argument("--study", type=Path, default=SAMPLE_STUDY, help="folder, ZIP or NIfTI volume")
    study.add_argument("--rounds", type=int, default=5)
    study.add_argument("--batch", type=int, default=SliceLimits().batch_slices, help="slices of one request")
    study.add_argument("--in-flight", type=int, default=SliceLimits().in_flight, help="requests at a time")
    study.add_argument("--out", type=Path, default=FOLDER)
    study.add_argument("--lengths", type=int, nargs="*", default=[300], help="slices of longer studies")
    study.add_argument("--workers", type=int, nargs="*", default=[], help="workers over PostgreSQL")
    commands.add_parser("upload", help="memory of study_service for an upload of 300 MB; fails above the limits")
    hops = commands.add_parser(
        "hops", help="one call of Triton for each model, the combined model, or one merged graph"
    )
    hops.add_argument("--rounds", type=int, default=4)
    return parser


def main() -> int:
    arguments = _parser().parse_args()
    try:
        _COMMANDS[arguments.command](arguments)
    except (MeasurementFailed, DemoFailed) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _throughput(arguments: argparse.Namespace) -> None:
    cells: dict[int, Cell] = {}
    with running_stack_process() as stack:
        for number, cell in measure(stack, arguments.clients, arguments.seconds, arguments.rounds):
            cells[id(cell)] = cell
            print(
                f"round {number + 1}: {cell.workload}, {cell.clients} client(s), {cell.target}: "
                f"{cell.images_per_s[-1]:.1f} images/s",
                flush=True,
            )
        memory = stack.memory_bytes()
    rows = rows_of(cells.values())
    print("", *table(rows), sep="\n")
    print(*(f"{name}: {size / 1e6:.0f} MB" for name, size in memory.items()), sep="\n")
    write(rows, memory, machine(), arguments.out)
    print(arguments.out / "throughput.json")


def _processor_time(arguments: argparse.Namespace) -> None:
    workload, clients, images, rounds = arguments.workload, arguments.clients, arguments.images, arguments.rounds
    batch, load = arguments.batch, os.getloadavg()[0]
    with running_stack_process() as stack:
        measured = list(processor_times(stack, workload, clients, images, rounds, batch))
    requests = f"{clients} clients" + (f", batches of {batch}" if batch > 1 else "")
    run = f"{rounds} rounds of {images} images, {workload}, {requests}. Load average before the run: {load:.1f}."
    lines = [f"{machine()}. {run}", "", *processor_time_lines(measured)]
    chosen, name = (f" --batch {batch}", f"cpu-{workload}-batch.md") if batch > 1 else ("", f"cpu-{workload}.md")
    command = f".venv/bin/python -m bench cpu --workload {workload}{chosen} --out docs/bench"
    _print_and_write(lines, arguments.out / name, command)


def _profile(arguments: argparse.Namespace) -> None:
    lines = [f"{machine()}. {arguments.images} images, classification as shipped, {CLIENTS} clients."]
    with running_stack_process() as stack:
        for service in SERVICES:
            with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
                measured = package_profile(stack, service, arguments.images, Path(folder))
            lines += ["", *profile_lines(service, measured)]
    _print_and_write(lines, arguments.out / "profile.md", ".venv/bin/python -m bench profile --out docs/bench")


def _print_and_write(lines: Sequence[str], file: Path, command: str) -> None:
    """command: that makes the file."""
    print(*lines, sep="\n")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join([f"Made by `{command}`; do not edit.", "", *lines, ""]))


def _idle(arguments: argparse.Namespace) -> None:
    load = os.getloadavg()[0]
    measured = list(measure_idle(FOLDER / "idle", arguments.starts, arguments.settle))
    lines = [f"{machine()}. Load average before the run: {load:.1f}.", "", *idle_lines(measured)]
    _print_and_write(lines, arguments.out / "idle.md", "make bench-idle")
    check_idle(measured)


def _segmenter(arguments: argparse.Namespace) -> None:
    shipped = StackSettings().triton_model_repository
    repositories = {WITH: shipped, WITHOUT: write_repository_without(shipped, FOLDER / "models")}
    measured = []
    for number, name, cell in measure_segmenter(
        running_stack_process, repositories, arguments.clients, arguments.seconds, arguments.rounds
    ):
        measured.append((name, cell))
        print(
            f"round {number + 1}: {cell.workload}, {cell.clients} client(s), {name}: "
            f"{cell.images_per_s[-1]:.1f} images/s",
            flush=True,
        )
    costs = costs_of(measured)
    print("", *table_of(costs), sep="\n")
    written = {"machine": machine(), "rows": [cost.row() for cost in costs]}
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "segmenter.json").write_text(json.dumps(written, indent=1) + "\n")
    print(arguments.out / "segmenter.json")


def _memory(arguments: argparse.Namespace) -> None:
    with running_stack_process() as stack:
        samples = []
        for sample in memory_samples(stack, arguments.workload, arguments.requests):
            samples.append(sample)
            print(sample.line(), flush=True)
    print("", *memory_lines(samples), sep="\n")


def _event_loop(_arguments: argparse.Namespace) -> None:
    with running_stack_process() as stack:
        for longest in longest_callbacks(stack, FOLDER):
            print(
                f"{longest.request}: {longest.cpu_ms:.1f} ms of CPU, {longest.wall_ms:.1f} ms of wall-clock time",
                flush=True,
            )


def _study(arguments: argparse.Namespace) -> None:
    limits = SliceLimits(arguments.batch, arguments.in_flight)
    with running_stack_process() as stack:
        costs = measure_study(stack, arguments.study, limits, arguments.rounds, FOLDER)
        lengths = measure_lengths(stack, arguments.study, arguments.lengths, arguments.rounds, FOLDER)
    name = arguments.study.name
    lines = [machine(), "", *lines_of(name, costs), "", *length_lines(name, lengths)]
    if arguments.workers:
        lines += ["", *scaling_lines(name, _scaling(arguments.study, arguments.workers))]
    _print_and_write(lines, arguments.out / "study.md", "make bench-study")
    print(arguments.out / "study.md")


def _scaling(study: Path, workers: list[int]) -> list[ScalingCosts]:
    upload, folder = upload_of(study, FOLDER), FOLDER / "scaling"
    shutil.rmtree(folder, ignore_errors=True)
    with postgresql_server() as server:
        return [
            measure_scaling(upload, server.new_database(), count, folder / str(count)) for count in sorted(set(workers))
        ]


def _upload(_arguments: argparse.Namespace) -> None:
    with running_stack_process() as stack:
        measured = measure_uploads(stack, FOLDER)
    print(*upload_lines(measured), sep="\n")
    check_uploads(measured)


def _hops(arguments: argparse.Namespace) -> None:
    repository = write_candidate(StackSettings().triton_model_repository, FOLDER / "hops")
    with running_stack_process(repository) as stack:
        print(*hops_report.lines_of(measure_hops(stack, arguments.rounds)), sep="\n")


def _tune(arguments: argparse.Namespace) -> None:
    """Each round measures all variants in turn; they are compared with the first one, the shipped configuration."""
    clients, seconds = arguments.clients, arguments.seconds
    found: dict[tuple[str, Workload, int], Cell] = {}
    for number in range(arguments.rounds):
        for variant in VARIANTS:
            repository = write_variant(StackSettings().triton_model_repository, variant, FOLDER / "models")
            with running_stack_process(repository) as stack:
                account = stack.sign_up()
                for workload in stack.models:
                    for count in clients:
                        cell = found.setdefault((variant.name, workload, count), Cell(workload, "gateway", count))
                        order = load_order("gateway", workload, stack, account) | {"clients": count, "seconds": seconds}
                        cell.add(load(order, seconds + START_AND_STOP_S))
                memory = stack.memory_bytes()
            print(f"round {number + 1}: {variant.name}: {sum(memory.values()) / 1e6:.0f} MB", flush=True)
    print("| variant | task | clients | images/s | ratio to shipped | p50 ms | p99 ms |")
    print("|---|---|---|---|---|---|---|")
    for (name, workload, count), cell in found.items():
        shipped = found[VARIANTS[0].name, workload, count]
        print(
            f"| {name} | {workload} | {count} | {cell.throughput:.1f} | {cell.throughput / shipped.throughput:.2f} "
            f"| {cell.percentile_ms(50):.0f} | {cell.percentile_ms(99):.0f} |"
        )


_COMMANDS: dict[str, Callable[[argparse.Namespace], None]] = {
    "throughput": _throughput,
    "memory": _memory,
    "cpu": _processor_time,
    "idle": _idle,
    "profile": _profile,
    "study": _study,
    "upload": _upload,
    "hops": _hops,
    "segmenter": _segmenter,
    "event-loop": _event_loop,
    "tune": _tune,
}


if __name__ == "__main__":
    sys.exit(main())
