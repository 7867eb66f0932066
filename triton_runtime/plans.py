"""`python -m triton_runtime.plans MODELS OUT`: the frame of a model repository of native TensorRT plans.

Writes each model's card, a config.pbtxt for the backend `tensorrt`, and OUT/build.sh, which makes the plans:
`deploy/make-tensorrt` runs it inside NVIDIA's image, for a plan belongs to the GPU and the TensorRT that made it. Needs
the packages of `dev`.
"""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path
from typing import Any

from google.protobuf import json_format, text_format
from tritonclient.grpc import model_config_pb2

from triton_runtime.lint import batched, parsed

TRTEXEC = "/usr/src/tensorrt/bin/trtexec"


def write_frame(models: Path, out: Path) -> Path:
    """models: a repository that `triton_runtime.lint` finds nothing in. Returns build.sh; OUT must not be there yet."""
    out.mkdir(parents=True)
    lines = [
        "#!/bin/sh",
        "# Made by triton_runtime.plans; runs inside NVIDIA's Triton image, with MODELS and OUT mounted.",
        "set -eu",
    ]
    for folder in sorted(path.parent for path in models.glob("*/card.json")):
        configuration = parsed(folder / "configs" / "gpu.pbtxt")
        version = max(int(graph.parent.name) for graph in folder.glob("*/model.onnx"))
        place = out / folder.name / str(version)
        place.mkdir(parents=True)
        shutil.copy2(folder / "card.json", out / folder.name / "card.json")
        (out / folder.name / "config.pbtxt").write_text(_as_text(native(configuration)))
        lines.append(_command(folder.name, version, configuration))
    script = out / "build.sh"
    script.write_text("\n".join(lines) + "\n")
    script.chmod(0o755)
    return script


def native(configuration: dict[str, Any]) -> dict[str, Any]:
    """The same model as a plan: another backend, and no accelerator, for the plan is one."""
    kept = {key: value for key, value in configuration.items() if key != "optimization"}
    return kept | {"backend": "tensorrt"}


def _command(name: str, version: int, configuration: dict[str, Any]) -> str:
    options = [
        f"--onnx=/models/{name}/{version}/model.onnx",
        f"--saveEngine=/plans/{name}/{version}/model.plan",
        "--fp16",
    ]
    if batched(configuration):
        (image,) = configuration["input"]
        most = int(configuration["max_batch_size"])
        for word, batch in (("min", 1), ("opt", most // 2), ("max", most)):
            options.append(f"--{word}Shapes=image:{'x'.join([str(batch), *image['dims']])}")
    return shlex.join([TRTEXEC, *options, "--skipInference"])


def _as_text(configuration: dict[str, Any]) -> str:
    message = json_format.ParseDict(configuration, model_config_pb2.ModelConfig())  # pyright: ignore[reportAttributeAccessIssue]  made at run time
    return text_format.MessageToString(message)


if __name__ == "__main__":
    print(write_frame(Path(sys.argv[1]), Path(sys.argv[2])))  # noqa: T201  a command
