"""Model repositories for a GPU: one for each provider, number of instances and batch size."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from google.protobuf import json_format, text_format
from tritonclient.grpc import model_config_pb2

from triton_runtime.lint import batched, parsed

Provider = Literal["cuda", "tensorrt"]


@dataclass(frozen=True)
class GpuVariant:
    """batch: the largest that Triton makes from waiting requests; graphs for one image keep 1."""

    provider: Provider
    instances: int
    batch: int

    def __str__(self) -> str:
        return f"{self.provider}-{self.instances}-{self.batch}"


VARIANTS = tuple(
    GpuVariant(provider, instances, batch)
    for provider in ("cuda", "tensorrt")
    for instances, batch in ((1, 8), (1, 32), (2, 32))
)


def write_gpu_repository(repository: Path, variant: GpuVariant, folder: Path, cache: Path) -> Path:
    """A copy of the repository with configs/gpu.pbtxt, changed, as each model's configuration.

    folder: is replaced.  cache: for TensorRT's engines, shared by variants.
    """
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(repository, folder, ignore=shutil.ignore_patterns("configs"))
    for file in repository.glob("*/configs/gpu.pbtxt"):
        configuration = changed(parsed(file), variant, cache)
        message = json_format.ParseDict(configuration, model_config_pb2.ModelConfig())  # pyright: ignore[reportAttributeAccessIssue]  made at run time
        (folder / file.parent.parent.name / "config.pbtxt").write_text(text_format.MessageToString(message))
    return folder


def changed(configuration: dict[str, Any], variant: GpuVariant, cache: Path) -> dict[str, Any]:
    """Without the response cache: it would answer a repeated image without the network."""
    kept = {key: value for key, value in configuration.items() if key not in ("response_cache", "optimization")}
    kept["instance_group"] = [{"count": variant.instances, "kind": "KIND_GPU"}]
    if batched(configuration):
        kept["max_batch_size"] = variant.batch
        sizes = {size for size in configuration["dynamic_batching"]["preferred_batch_size"] if size <= variant.batch}
        kept["dynamic_batching"] = configuration["dynamic_batching"] | {
            "preferred_batch_size": sorted(sizes | {variant.batch})
        }
        kept["model_warmup"] = _warm_up(configuration["model_warmup"], variant)
    if variant.provider == "tensorrt":
        kept["optimization"] = configuration["optimization"]
        for accelerator in kept["optimization"]["execution_accelerators"]["gpu_execution_accelerator"]:
            for key in accelerator["parameters"]:
                if key.endswith("_cache_path"):
                    accelerator["parameters"][key] = str(cache)
    return kept


def _warm_up(shipped: list[dict[str, Any]], variant: GpuVariant) -> list[dict[str, Any]]:
    """With the CUDA provider every batch size: cuDNN looks for the fastest algorithms at the first run of each."""
    if variant.provider == "tensorrt":
        return [one for one in shipped if one["batch_size"] <= variant.batch]
    sizes = range(1, variant.batch + 1)
    return [shipped[0] | {"name": f"images: {size}", "batch_size": size} for size in sizes]
