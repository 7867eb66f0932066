"""`python -m bench.peers`: Hepar's gateway and what users would pick instead, in one run."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.machine import machine
from bench.measurement import IMAGE, MeasurementFailed, Workload
from bench.peers.catalogue import ENVIRONMENT, MLSERVER_ENVIRONMENT, PEERS
from bench.peers.measurement import (
    AS_SHIPPED,
    SAME_WORK,
    PeerCell,
    Targets,
    check_answers,
    measure,
    write_same_networks,
)
from bench.peers.processes import running_peers
from bench.peers.report import conclusion_list, load_line, rows_of, run_line, table, write
from bench.stack_process import FOLDER, running_stack_process
from local_stack.demo_client import DemoFailed
from local_stack.settings import StackSettings

_VERSIONS = {ENVIRONMENT: ("onnxruntime", "fastapi", "litserve", "bentoml"), MLSERVER_ENVIRONMENT: ("mlserver",)}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.peers", description=__doc__)
    parser.add_argument("--clients", type=int, nargs="+", default=[4, 16])
    parser.add_argument("--seconds", type=float, default=2.0, help="duration of each measurement")
    parser.add_argument("--rounds", type=int, default=3, help="rounds, in which all targets alternate")
    parser.add_argument("--out", type=Path, default=FOLDER)
    arguments = parser.parse_args()
    load_average = os.getloadavg()[0]
    try:
        with _targets(FOLDER / "peers") as targets:
            check_answers(targets)
            print("Every peer gives Hepar's answer to every sample.", flush=True)
            cells = _cells(targets, arguments.clients, arguments.seconds, arguments.rounds)
    except (MeasurementFailed, DemoFailed) as error:
        print(error, file=sys.stderr)
        return 1
    rows = rows_of(cells)
    run = run_line(arguments.clients, arguments.seconds, arguments.rounds)
    facts = [run, load_line(load_average, os.cpu_count() or 1), _versions()]
    print("", *facts, "", *table(rows), "", *conclusion_list(rows, load_average), sep="\n")
    write(rows, machine(), facts, load_average, arguments.out)
    print(arguments.out / "peers.json", arguments.out / "peers.md")
    return 0


@contextmanager
def _targets(folder: Path) -> Iterator[Targets]:
    shipped = StackSettings().triton_model_repository
    installed = [peer for peer in PEERS if peer.environment.is_dir()]
    same = write_same_networks(shipped, folder / "models")
    with (
        running_stack_process(same) as same_work,
        running_stack_process(shipped) as as_shipped,
        running_peers(installed, same, folder, IMAGE.read_bytes()) as peers,
    ):
        yield Targets(peers, {SAME_WORK: same_work, AS_SHIPPED: as_shipped}, folder)


def _cells(targets: Targets, clients: Sequence[int], seconds: float, rounds: int) -> list[PeerCell]:
    work: dict[Workload, Sequence[int]] = {"classification": clients, "detection": clients}
    cells: dict[int, PeerCell] = {}
    for number, cell in measure(targets, work, seconds, rounds):
        cells[id(cell)] = cell
        print(
            f"round {number + 1}: {cell.workload}, {cell.clients} clients, {cell.target}: "
            f"{cell.images_per_s[-1]:.1f} images/s",
            flush=True,
        )
    return list(cells.values())


def _versions() -> str:
    program = "import sys, importlib.metadata as m; print(', '.join(f'{n} {m.version(n)}' for n in sys.argv[1:]))"
    found = [
        subprocess.run(
            [str(environment / "bin" / "python"), "-c", program, *names], capture_output=True, text=True, check=True
        ).stdout.strip()
        for environment, names in _VERSIONS.items()
        if environment.is_dir()
    ]
    absent = [peer.name for peer in PEERS if not peer.environment.is_dir()]
    missing = f" Not installed, therefore not measured: {', '.join(absent)}." if absent else ""
    return f"Versions: {', '.join(found)}.{missing}"


if __name__ == "__main__":
    sys.exit(main())
