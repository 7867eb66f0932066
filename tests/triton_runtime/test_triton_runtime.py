"""The real Triton from PyPI under our keeper, with the Python-based backend named onnxruntime."""

from __future__ import annotations

import asyncio
import os
import queue
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import tritonclient.grpc as grpcclient
from numpy.typing import NDArray
from tritonclient.utils import InferenceServerException

from hepar.core.deadlines import Deadline
from hepar.core.errors import BadUpstream, DeadlineExceeded, Unavailable
from hepar.inference import TritonClient
from hepar.inference.outputs import ExpectedOutput
from local_stack.settings import on_free_ports
from tests.support.tiny_models import SIZE, write_classifier
from tests.support.triton import RunningTriton, wait_for_triton


def image_tensor(value: int, batch: int = 1, size: int = SIZE) -> grpcclient.InferInput:
    tensor = grpcclient.InferInput("image", [batch, size, size, 1], "UINT8")
    tensor.set_data_from_numpy(np.full((batch, size, size, 1), value, dtype=np.uint8))
    return tensor


def logits_of(result: grpcclient.InferResult | None) -> NDArray[np.float32]:
    assert result is not None
    return np.asarray(result.as_numpy("logits"))


def test_the_model_repository_names_the_official_backend(triton: RunningTriton) -> None:
    client = grpcclient.InferenceServerClient(triton.grpc)
    metadata = client.get_model_metadata("classify_steady")
    assert metadata is not None
    assert metadata.name == "classify_steady"
    assert 'backend: "onnxruntime"' in (triton.repository / "classify_steady" / "config.pbtxt").read_text()


def test_the_backend_runs_in_tritons_own_environment_with_the_threads_of_the_configuration(
    triton: RunningTriton,
) -> None:
    assert f"{Path('.venv-triton').resolve()}, 1 thread(s)" in triton.log_file.read_text()


GPU_INSTANCE = """
import sys, types
utilities = types.ModuleType("triton_python_backend_utils")
utilities.TritonModelException = Exception
sys.modules["triton_python_backend_utils"] = utilities
sys.path.insert(0, "triton_runtime/backends/onnxruntime")
import model
model._session("triton_models/check_input/1/model.onnx", {}, 0)
"""


def test_an_instance_on_a_gpu_does_not_fall_back_to_the_cpu() -> None:
    """The environment of the tests has the onnxruntime for CPUs."""
    done = subprocess.run(
        [".venv-triton/bin/python", "-c", GPU_INSTANCE], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode != 0
    assert "cannot use the GPU: it needs the package onnxruntime-gpu" in done.stderr


def test_triton_listens_on_the_loopback_address_only(triton: RunningTriton) -> None:
    (server,) = psutil.Process(triton.pid).children()
    listening = [row.laddr for row in server.net_connections("tcp") if row.status == psutil.CONN_LISTEN]
    assert {address.ip.removeprefix("::ffff:") for address in listening} == {"127.0.0.1"}
    assert {address.port for address in listening} == {
        triton.settings.triton_grpc_port,
        triton.settings.triton_metrics_port,
    }


def test_outputs_are_correct_for_each_image_of_a_batch(triton: RunningTriton) -> None:
    client = grpcclient.InferenceServerClient(triton.grpc)
    tensor = grpcclient.InferInput("image", [3, SIZE, SIZE, 1], "UINT8")
    values = np.array([0, 51, 255], dtype=np.uint8)
    tensor.set_data_from_numpy(np.broadcast_to(values[:, None, None, None], (3, SIZE, SIZE, 1)).copy())
    logits = logits_of(client.infer("classify_bright", [tensor]))
    assert logits == pytest.approx(np.array([[0, 1, 0], [0.8, 1, 0], [4, 1, 0]]), abs=1e-5)


def test_every_pixel_reaches_the_network_and_every_value_is_returned(triton: RunningTriton) -> None:
    """The activation map of each label is the image less 127.5."""
    client = grpcclient.InferenceServerClient(triton.grpc)
    pixels = np.random.default_rng(1).integers(0, 256, (2, SIZE, SIZE, 1), dtype=np.uint8)
    tensor = grpcclient.InferInput("image", list(pixels.shape), "UINT8")
    tensor.set_data_from_numpy(pixels)
    result = client.infer("mapped", [tensor])
    assert result is not None
    activation = np.asarray(result.as_numpy("activation"))
    assert activation.dtype == np.float32
    wanted = pixels.transpose(0, 3, 1, 2).astype(np.float32) - 127.5
    assert activation == pytest.approx(np.broadcast_to(wanted, (2, 3, SIZE, SIZE)))
    assert "PyCapsule" not in triton.log_file.read_text()  # how NumPy reports memory that is not released as it expects


def test_batched_requests_are_run_together_and_answered_separately(triton: RunningTriton) -> None:
    async def scenario() -> None:
        async with TritonClient(triton.grpc) as client:
            expected = {"logits": ExpectedOutput((3,), "f")}
            pixels = [np.full((SIZE, SIZE), value, dtype=np.uint8) for value in range(0, 160, 10)]
            answers = await asyncio.gather(
                *(client.infer("classify_bright", image, expected, Deadline.after(20)) for image in pixels)
            )
        first = [float(answer.outputs["logits"][0]) for answer in answers]
        assert first == pytest.approx([4 * value / 255 for value in range(0, 160, 10)], abs=1e-4)

    _, before = triton.runs("classify_bright")
    asyncio.run(scenario())
    _, after = triton.runs("classify_bright")
    assert 0 < after - before < 16


def test_a_failing_request_gets_an_error_and_the_rest_of_its_batch_succeeds(triton: RunningTriton) -> None:
    client = grpcclient.InferenceServerClient(triton.grpc)
    answers: queue.Queue[tuple[str, bool]] = queue.Queue()

    def note(result: grpcclient.InferResult | None, error: InferenceServerException | None) -> None:
        assert result is not None or "failed" in str(error)
        answers.put((str(result.get_response().id) if result else "failed", result is not None))

    for number, value in enumerate([0, 200, 0, 0]):
        client.async_infer("broken", [image_tensor(value)], note, request_id=str(number))
    outcome = sorted(answers.get(timeout=20) for _ in range(4))
    assert outcome == [("0", True), ("2", True), ("3", True), ("failed", False)]
    assert client.is_model_ready("broken")


def test_a_request_of_another_shape_is_refused(triton: RunningTriton) -> None:
    client = grpcclient.InferenceServerClient(triton.grpc)
    with pytest.raises(InferenceServerException, match="shape"):
        client.infer("classify_steady", [image_tensor(0, size=32)])


def test_the_client_validates_the_outputs_of_triton(triton: RunningTriton) -> None:
    image = np.zeros((SIZE, SIZE), dtype=np.uint8)

    async def infer(model: str, expected: dict[str, ExpectedOutput], deadline_s: float = 20.0) -> None:
        async with TritonClient(triton.grpc) as client:
            await client.infer(model, image, expected, Deadline.after(deadline_s))

    asyncio.run(
        infer("classify_steady", {"logits": ExpectedOutput((3,), "f"), "activation": ExpectedOutput((3, -1, -1), "f")})
    )
    for wrong in (ExpectedOutput((4,), "f"), ExpectedOutput((3, 1), "f"), ExpectedOutput((3,), "i")):
        with pytest.raises(BadUpstream):
            asyncio.run(infer("classify_steady", {"logits": wrong}))
    with pytest.raises(Unavailable):
        asyncio.run(infer("no_such_model", {"logits": ExpectedOutput((3,), "f")}))
    with pytest.raises(DeadlineExceeded):
        asyncio.run(infer("classify_steady", {"logits": ExpectedOutput((3,), "f")}, deadline_s=0.0))


def test_a_graph_without_batch_axis_is_called_without_one(triton: RunningTriton) -> None:
    async def scenario() -> None:
        async with TritonClient(triton.grpc) as client:
            expected = {"logits": ExpectedOutput((3,), "f"), "activation": ExpectedOutput((3, -1, -1), "f")}
            pixels = [np.full((SIZE, SIZE), value, dtype=np.uint8) for value in (0, 51, 255)]
            answers = await asyncio.gather(
                *(client.infer("single", image, expected, Deadline.after(20)) for image in pixels)
            )
        assert [float(answer.outputs["logits"][0]) for answer in answers] == pytest.approx([0, 0.8, 4], abs=1e-5)
        assert answers[0].outputs["activation"].shape == (3, 1, 1)

    asyncio.run(scenario())


def start_keeper(folder: Path) -> tuple[RunningTriton, subprocess.Popen[bytes]]:
    """A separate Triton with one model, ready."""
    repository = folder / "models"
    write_classifier(repository, "classify_one", (0.0, 1.0, 0.0))
    settings = on_free_ports().model_copy(update={"triton_model_repository": repository})
    environment = settings.environment() | {
        "HEPAR_TRITON_LOG_FILE": str(folder / "triton.log"),
        "HEPAR_TRITON_STATE_FOLDER": str(folder / "state"),
        "HEPAR_TRITON_RESTART_DELAY_S": "0.2",
    }
    with (folder / "keeper.log").open("wb") as log:
        keeper = subprocess.Popen([sys.executable, "-m", "triton_runtime"], env=environment, stderr=log)
    running = RunningTriton(settings, repository, keeper.pid, folder / "triton.log")
    wait_for_triton(running, keeper)
    return running, keeper


def test_a_killed_triton_is_restarted_and_a_stop_leaves_nothing_running(tmp_path: Path) -> None:
    running, keeper = start_keeper(tmp_path)
    try:
        (server,) = psutil.Process(keeper.pid).children()
        stubs = server.children()
        assert stubs
        regions = shared_memory(keeper)
        assert regions
        server.kill()
        psutil.wait_procs([server, *stubs], timeout=10)
        assert not any(stub.is_running() and stub.status() != psutil.STATUS_ZOMBIE for stub in stubs)
        wait_for_triton(running, keeper)
        assert shared_memory(keeper)
        assert not regions & shared_memory(keeper), "those of the killed server are removed"
        family = psutil.Process(keeper.pid).children(recursive=True)
        assert len(family) >= 2
    finally:
        keeper.send_signal(signal.SIGTERM)
        assert keeper.wait(30) == 0
    assert "restarting in 0.2 s" in (tmp_path / "keeper.log").read_text()
    _, alive = psutil.wait_procs(family, timeout=5)
    assert alive == []
    assert shared_memory(keeper) == set()


def shared_memory(keeper: subprocess.Popen[bytes]) -> set[Path]:
    """The regions in which a keeper's Triton exchanges images with its stub processes."""
    return set(Path("/dev/shm").glob(f"hepar_triton_{keeper.pid}_*"))  # noqa: S108


def test_triton_dies_with_its_keeper(tmp_path: Path) -> None:
    _, keeper = start_keeper(tmp_path)
    family = psutil.Process(keeper.pid).children(recursive=True)
    keeper.kill()
    keeper.wait(10)
    deadline = time.monotonic() + 20
    while any(process.is_running() for process in family) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert [process for process in family if process.is_running()] == []


def test_an_unsuitable_machine_gets_one_clear_line(tmp_path: Path) -> None:
    environment = os.environ | {"HEPAR_TRITON_ENVIRONMENT": str(tmp_path / "none")}
    done = subprocess.run(
        [sys.executable, "-m", "triton_runtime"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == f"{tmp_path / 'none'} is missing. Run `make setup`.\n"
