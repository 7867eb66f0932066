"""`make bench-gpu` as far as it goes without a GPU: what is missing, the configurations, and the tables."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from tritonclient.grpc import InferenceServerClient

from bench.gpu import __main__ as command
from bench.gpu.alone import Alone, ModelResult, alone, inferences_per_s, throughput, trtexec_command
from bench.gpu.report import ServiceResult, model_table, service_table, write
from bench.gpu.stack import running_triton, triton_arguments
from bench.gpu.tools import IMAGE, GpuTools, inspect_machine
from bench.gpu.variants import VARIANTS, GpuVariant, changed, write_gpu_repository
from bench.measurement import MeasurementFailed
from local_stack.settings import on_free_ports
from tests.support.tiny_models import write_classifier
from triton_runtime.lint import faults, parsed

REPOSITORY = Path(__file__).parents[2] / "triton_models"
ALL = ("nvidia-smi", "tritonserver", "trtexec", "perf_analyzer", "docker")
CSV = (
    "Concurrency,Inferences/Second,Client Send,Network+Server Send/Recv,Server Queue,Server Compute Input,"
    "Server Compute Infer,Server Compute Output,Client Recv,p50 latency,p90 latency,p95 latency,p99 latency\n"
    "16,1843.5,11,402,3901,87,4100,21,6,8612,9011,9207,10011\n"
)
TRTEXEC = "[I] === Performance summary ===\n[I] Throughput: 512.25 qps\n[I] Latency: min = 1.9 ms, max = 2.4 ms\n"


def finder(*names: str) -> Callable[[str], str | None]:
    return lambda name: f"/usr/bin/{name}" if name in names else None


def answering(gpus: str = "NVIDIA H100\n", image: bool = True) -> Callable[[Sequence[str]], str | None]:
    def run(line: Sequence[str]) -> str | None:
        return gpus if line[0] == "nvidia-smi" else ("[]" if image else None)

    return run


def test_a_machine_without_anything_gets_a_message_for_each_missing_thing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["bench.gpu", "--out", str(tmp_path / "out")])
    monkeypatch.setattr("bench.gpu.tools._PLACES", {})
    assert command.main() == 2
    printed = capsys.readouterr().err.splitlines()
    assert len(printed) == 3
    assert "There is no NVIDIA GPU" in printed[0]
    assert "There is no Triton with GPU support" in printed[1]
    assert "perf_analyzer was not found" in printed[2]
    assert not (tmp_path / "out").exists()


def test_a_driver_without_a_gpu_and_an_image_that_was_not_pulled_are_missing_too() -> None:
    found = inspect_machine(IMAGE, finder("nvidia-smi", "docker"), answering(gpus="\n", image=False))
    assert found.tools is None
    assert found.required == (
        "nvidia-smi lists no GPU.",
        f"There is no tritonserver, and docker has no image {IMAGE}: docker pull {IMAGE}",
    )


def test_a_complete_machine_has_nothing_missing() -> None:
    found = inspect_machine(IMAGE, finder(*ALL), answering())
    assert (found.required, found.optional) == ((), ())
    assert found.tools is not None
    assert found.tools.gpus == ("NVIDIA H100",)
    line = found.tools.command(triton_arguments(found.tools, Path("/r"), 9001), Path("/r"))
    assert line[:2] == ["/usr/bin/tritonserver", "--model-repository=/r"]


def test_without_tritonserver_its_image_runs_it() -> None:
    found = inspect_machine(IMAGE, finder("nvidia-smi", "docker"), answering())
    assert found.tools is not None
    line = found.tools.command(triton_arguments(found.tools, Path("/r/models"), 9001), Path("/r"))
    assert line[:3] == ["docker", "run", "--rm"]
    assert "/r:/r" in line
    assert line[line.index(IMAGE) + 1].endswith("tritonserver")
    assert found.tools.trtexec is not None, "the image has it"


def test_without_nvidias_triton_the_one_from_pypi_is_measured_where_its_onnx_runtime_uses_cuda() -> None:
    def run(line: Sequence[str]) -> str:
        return "NVIDIA H100\n" if line[0] == "nvidia-smi" else "CUDAExecutionProvider CPUExecutionProvider\n"

    found = inspect_machine(IMAGE, finder("nvidia-smi", "perf_analyzer"), run)
    assert found.tools is not None
    assert found.tools.environment == Path(".venv-triton")
    assert found.optional == ("NVIDIA's Triton was not found: the one of .venv-triton is measured, without TensorRT.",)


def test_the_triton_from_pypi_is_started_with_our_backend(tmp_path: Path) -> None:
    """With the configurations for CPUs: there is no GPU."""
    repository = tmp_path / "models"
    write_classifier(repository, "classify_steady", (0.0, 1.0, 0.0))
    tools = GpuTools(("NVIDIA H100",), "tritonserver", environment=Path(".venv-triton"))
    with running_triton(tools, repository, tmp_path, on_free_ports().triton_grpc_port) as address:
        assert InferenceServerClient(address).is_model_ready("classify_steady")


def test_a_model_alone_on_a_gpu_fails_where_there_is_none(tmp_path: Path) -> None:
    """The environment of the tests has the onnxruntime for CPUs."""
    tools = GpuTools(("NVIDIA H100",), "tritonserver", environment=Path(".venv-triton"))
    made = write_gpu_repository(REPOSITORY, VARIANTS[0], tmp_path / "models", Path("/cache"))
    with pytest.raises(MeasurementFailed, match="cannot use CUDAExecutionProvider"):
        alone(tools, made, "check_input", "cuda", 1.0)
    assert alone(tools, made, "check_input", "tensorrt", 1.0) is None


@pytest.mark.parametrize("variant", [VARIANTS[0], VARIANTS[-1]], ids=str)
def test_a_repository_of_a_variant_has_no_lint_findings(variant: GpuVariant, tmp_path: Path) -> None:
    made = write_gpu_repository(REPOSITORY, variant, tmp_path / "models", Path("/cache/here"))
    assert faults(made) == []


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_a_variant_has_its_provider_instances_and_batch(variant: GpuVariant) -> None:
    made = changed(parsed(REPOSITORY / "classify_resnet" / "configs" / "gpu.pbtxt"), variant, Path("/cache/here"))
    assert made["instance_group"] == [{"count": variant.instances, "kind": "KIND_GPU"}]
    assert made["max_batch_size"] == max(made["dynamic_batching"]["preferred_batch_size"]) == variant.batch
    warmed_up = [one["batch_size"] for one in made["model_warmup"]]
    assert max(warmed_up) == variant.batch
    if variant.provider == "cuda":
        assert warmed_up == list(range(1, variant.batch + 1)), "each size takes a second when it comes first"
    assert ("optimization" in made) == (variant.provider == "tensorrt")
    assert "response_cache" not in made, "a repeated image would be answered without the network"
    if "optimization" in made:
        (accelerator,) = made["optimization"]["execution_accelerators"]["gpu_execution_accelerator"]
        assert accelerator["parameters"]["trt_engine_cache_path"] == "/cache/here"


def configuration_for_one_image() -> dict[str, Any]:
    """Of a graph without a batch axis; no shipped one is."""
    made = parsed(REPOSITORY / "detect_faster_rcnn" / "configs" / "gpu.pbtxt")
    return {key: value for key, value in made.items() if key not in ("max_batch_size", "dynamic_batching")}


def test_a_graph_for_one_image_stays_one() -> None:
    made = changed(configuration_for_one_image(), VARIANTS[1], Path("/cache"))
    assert "max_batch_size" not in made
    assert "dynamic_batching" not in made


def test_trtexec_gets_the_batch_of_the_configuration() -> None:
    gpu = parsed(REPOSITORY / "classify_resnet" / "configs" / "gpu.pbtxt")
    line = trtexec_command("trtexec", Path("model.onnx"), changed(gpu, VARIANTS[0], Path("/cache")))
    assert line[1:3] == ["--onnx=model.onnx", "--fp16"]
    assert "--optShapes=image:8x256x256x1" in line
    single = configuration_for_one_image()
    assert trtexec_command("trtexec", Path("model.onnx"), single) == ["trtexec", "--onnx=model.onnx", "--fp16"]


def test_measurements_are_read_from_the_tools() -> None:
    assert inferences_per_s(CSV) == 1843.5
    assert throughput(TRTEXEC) == 512.25
    with pytest.raises(MeasurementFailed):
        inferences_per_s("")
    with pytest.raises(MeasurementFailed):
        throughput("Engine could not be created from network")


def test_the_tables_come_from_recorded_measurements(tmp_path: Path) -> None:
    variant = GpuVariant("tensorrt", 2, 8)
    trtexec = Alone("trtexec", throughput(TRTEXEC) * 8, {})
    cuda = Alone("ONNX Runtime", 1000.0, {"scores": 2e-6, "boxes": 0.001})
    models = [
        ModelResult("classify_resnet", variant, 16, "perf_analyzer", inferences_per_s(CSV), trtexec),
        ModelResult("classify_unet", variant, 16, "bench.load", 900.0, None),
        ModelResult("detect_yolov5", VARIANTS[0], 16, "bench.load", 900.0, cuda),
    ]
    rows = model_table(models)[2:]
    assert (
        rows[0]
        == "| classify_resnet | tensorrt | 2 | 8 | 1844 | perf_analyzer, 16 in flight | 4098 | trtexec | 0.45 | - |"
    )
    assert rows[1] == "| classify_unet | tensorrt | 2 | 8 | 900 | bench.load, 16 in flight | not measured | - | - | - |"
    assert rows[2].endswith("| bench.load, 16 in flight | 1000 | ONNX Runtime | 0.90 | scores 2.0e-06, boxes 1.0e-03 |")
    cpu_s = {"gateway": 0.4, "classify": 0.8, "detect": 0.0, "tritonserver": 1.2}
    service = ServiceResult("classification", variant, 16, 2.0, [40.0] * 400, cpu_s)
    head, _, row = service_table([service])
    assert head.endswith("| CPU ms an image | of it classify | of it gateway | of it tritonserver |")
    assert row == "| classification | tensorrt | 2 | 8 | 16 | 200.0 | 40.0 | 40.0 | 6.0 | 2.0 | 1.0 | 3.0 |"
    lines = write(models, [service], ["2 cores", "GPU: NVIDIA H100"], tmp_path)
    assert row in lines
    assert rows[0] in lines
    assert (tmp_path / "gpu.md").read_text().rstrip("\n").splitlines() == lines
    assert json.loads((tmp_path / "gpu.json").read_text())["models"][0]["images_per_s"] == 1843.5
