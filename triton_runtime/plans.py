"""`python -m triton_runtime.plans MODELS OUT`: prepares a model repository of native TensorRT plans.

Writes each model's card, a config.pbtxt for the backend `tensorrt`, and OUT/build.sh, which builds the plans:
`deploy/make-tensorrt` runs it inside NVIDIA's image, because a plan is valid only for the GPU and TensorRT version that
built it. Needs the packages of `dev`.
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


def prepare_repository(models: Path, out: Path) -> Path:
    """models: a repository without lint findings.  out: must not exist.  Returns the path of build.sh."""
    out.mkdir(parents=True)
    lines = [
        "#!/bin/sh",
        "# Written by triton_runtime.plans; runs inside NVIDIA's Triton image, with MODELS and OUT mounted.",
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
    """The configuration of the same model as a plan: another backend, and no accelerator setting."""
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
    print(prepare_repository(Path(sys.argv[1]), Path(sys.argv[2])))  # noqa: T201  a command
