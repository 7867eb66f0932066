"""`python -m bench.gpu`: models and services on a GPU, for providers, instances and batch sizes."""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import replace
from pathlib import Path

import psutil

from bench.gpu.alone import ModelResult, alone, models_in, through_triton
from bench.gpu.report import ServiceResult, write
from bench.gpu.stack import RunningServices, running_services, running_triton
from bench.gpu.tools import IMAGE, GpuTools, inspect_machine
from bench.gpu.variants import VARIANTS, GpuVariant, write_gpu_repository
from bench.machine import machine
from bench.measurement import START_AND_STOP_S, MeasurementFailed, RunningStack, load, load_order, models_of
from bench.stack_process import FOLDER
from local_stack.settings import StackSettings, on_free_ports


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.gpu", description=__doc__)
    parser.add_argument("--image", default=os.environ.get("TRITON_IMAGE", IMAGE), help="Triton, run with docker")
    parser.add_argument("--variants", nargs="+", choices=[str(one) for one in VARIANTS], help="all by default")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 16, 64])
    parser.add_argument("--seconds", type=float, default=5.0, help="duration of each measurement")
    parser.add_argument("--out", type=Path, default=FOLDER)
    arguments = parser.parse_args()
    inspection = inspect_machine(arguments.image)
    for message in (*inspection.required, *inspection.optional):
        print(message, file=sys.stderr)
    if inspection.tools is None:
        return 2
    possible = [one for one in VARIANTS if one.provider == "cuda" or inspection.tools.environment is None]
    chosen = [one for one in possible if arguments.variants is None or str(one) in arguments.variants]
    models: list[ModelResult] = []
    services: list[ServiceResult] = []
    try:
        for variant in chosen:
            _measure(inspection.tools, variant, arguments, models, services)
    except MeasurementFailed as error:
        print(error, file=sys.stderr)
        return 1
    facts = [machine(), f"GPU: {', '.join(inspection.tools.gpus)}", *inspection.optional]
    print(*write(models, services, facts, arguments.out), sep="\n")
    return 0


def _measure(
    tools: GpuTools,
    variant: GpuVariant,
    arguments: argparse.Namespace,
    models: list[ModelResult],
    services: list[ServiceResult],
) -> None:
    folder = (FOLDER / "gpu").resolve()
    (folder / "cache").mkdir(parents=True, exist_ok=True)
    shipped = StackSettings().triton_model_repository
    repository = write_gpu_repository(shipped, variant, folder / "models", folder / "cache")
    settings = on_free_ports().model_copy(update={"triton_model_repository": repository})
    most = max(arguments.clients)
    with running_triton(tools, repository, folder, settings.triton_grpc_port) as address:
        for model in models_in(repository):
            tool, images_per_s = through_triton(tools, address, model, most, arguments.seconds, folder)
            models.append(ModelResult(model, variant, most, tool, images_per_s, None))
            print(f"{variant}: {model}: {images_per_s:.0f} images/s", flush=True)
        with running_services(settings, folder / "services") as running:
            for result in _service_results(running, variant, arguments):
                services.append(result)
                print(f"{variant}: {result.workload}, {result.clients}: {result.images_per_s:.1f} images/s", flush=True)
    for index, one in enumerate(models):  # alone, when Triton no longer uses the GPU
        if one.variant == variant:
            found = alone(tools, repository, one.model, variant.provider, arguments.seconds)
            models[index] = replace(one, alone=found)


def _service_results(
    running: RunningServices, variant: GpuVariant, arguments: argparse.Namespace
) -> list[ServiceResult]:
    stack = RunningStack(running.settings, psutil.Process(), models_of(running.settings.triton_model_repository))
    account = stack.sign_up()
    results = []
    for workload in stack.models:
        for clients in arguments.clients:
            order = load_order("gateway", workload, stack, account)
            before = running.cpu_s()
            answer = load(
                order | {"clients": clients, "seconds": arguments.seconds, "warm_up_s": 0.0},
                arguments.seconds + START_AND_STOP_S,
            )
            spent = {name: spent_s - before[name] for name, spent_s in running.cpu_s().items()}
            results.append(ServiceResult(workload, variant, clients, answer["seconds"], answer["latencies_ms"], spent))
    return results


if __name__ == "__main__":
    sys.exit(main())
