"""The small Triton server from PyPI has known faults outside of inference: nothing but inference can be called."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import numpy as np
import psutil
import pytest
import tritonclient.grpc as grpcclient
from tritonclient.utils import InferenceServerException

from tests.support.stack import Stack
from tests.support.tiny_models import SIZE

RESTRICTED: dict[str, Callable[[grpcclient.InferenceServerClient], object]] = {
    "list shared memory": lambda client: client.get_system_shared_memory_status(),
    "register shared memory": lambda client: client.register_system_shared_memory("x", "/x", 64),
    "remove shared memory": lambda client: client.unregister_system_shared_memory(),
    "list CUDA memory": lambda client: client.get_cuda_shared_memory_status(),
    "register CUDA memory": lambda client: client.register_cuda_shared_memory("x", b"x" * 64, 0, 64),
    "remove CUDA memory": lambda client: client.unregister_cuda_shared_memory(),
    "list the repository": lambda client: client.get_model_repository_index(),
    "load a model": lambda client: client.load_model("classify_tiny"),
    "load a model from the caller's files": lambda client: client.load_model(
        "own", config='{"backend": "python"}', files={"file:1/model.py": b"x"}
    ),
    "unload a model": lambda client: client.unload_model("classify_tiny"),
    "read a model's configuration": lambda client: client.get_model_config("classify_tiny"),
    "read statistics": lambda client: client.get_inference_statistics(),
    "read trace settings": lambda client: client.get_trace_settings(),
    "write trace settings": lambda client: client.update_trace_settings(settings={"trace_file": "/tmp/x"}),  # noqa: S108
    "read log settings": lambda client: client.get_log_settings(),
    "write log settings": lambda client: client.update_log_settings({"log_file": "/tmp/x"}),  # noqa: S108
}


@pytest.fixture(scope="module")
def triton(stack: Stack) -> Iterator[grpcclient.InferenceServerClient]:
    with grpcclient.InferenceServerClient(f"127.0.0.1:{stack.settings.triton_grpc_port}") as client:
        yield client


def server(stack: Stack) -> psutil.Process:
    return stack.process("bin/tritonserver")


@pytest.mark.parametrize("kind", RESTRICTED)
def test_everything_but_inference_needs_a_key(triton: grpcclient.InferenceServerClient, kind: str) -> None:
    with pytest.raises(InferenceServerException, match="protocol is restricted"):
        RESTRICTED[kind](triton)


def test_the_memory_of_tritons_own_processes_cannot_be_registered(
    stack: Stack, triton: grpcclient.InferenceServerClient
) -> None:
    """The chain of CVE-2025-23319, 23320 and 23334: the name of a region of the Python backend, then its contents."""
    mapped = Path(f"/proc/{server(stack).pid}/maps").read_text()
    regions = re.findall(r"/(hepar_triton_[\w-]+)", mapped)
    assert regions
    with pytest.raises(InferenceServerException, match="protocol is restricted"):
        triton.register_system_shared_memory("own", f"/{regions[0]}", 64)
    tensor = grpcclient.InferInput("image", [1, SIZE, SIZE, 1], "UINT8")
    tensor.set_shared_memory(regions[0], SIZE * SIZE)
    with pytest.raises(InferenceServerException):
        triton.infer("classify_tiny", [tensor])
    tensor = grpcclient.InferInput("image", [1, SIZE, SIZE, 1], "UINT8")
    tensor.set_data_from_numpy(np.zeros((1, SIZE, SIZE, 1), dtype=np.uint8))
    assert triton.infer("classify_tiny", [tensor]) is not None


def test_triton_listens_for_grpc_and_metrics_only_and_on_this_machine_only(stack: Stack) -> None:
    listening = [row.laddr for row in server(stack).net_connections("tcp") if row.status == psutil.CONN_LISTEN]
    assert {address.ip.removeprefix("::ffff:") for address in listening} == {"127.0.0.1"}
    settings = stack.settings
    assert {address.port for address in listening} == {settings.triton_grpc_port, settings.triton_metrics_port}
    metrics = f"http://127.0.0.1:{settings.triton_metrics_port}"
    assert httpx.get(f"{metrics}/metrics", trust_env=False, timeout=60).status_code == 200
    for path in ("/v2/health/ready", "/v2/models/classify_tiny/infer", "/v2/repository/index"):
        assert httpx.post(f"{metrics}{path}", json={}, trust_env=False, timeout=60).status_code in (400, 404, 405)


def key_of(process: psutil.Process) -> str:
    (found,) = re.findall(r"--grpc-restricted-protocol=\S+:hepar-key=([0-9a-f]{64})", " ".join(process.cmdline()))
    return str(found)


def test_the_key_is_another_one_at_each_start_and_opens_what_it_locks(
    stack: Stack, triton: grpcclient.InferenceServerClient
) -> None:
    first = server(stack)
    key = key_of(first)
    headers = {"triton-grpc-protocol-hepar-key": key}
    assert triton.get_model_config("classify_tiny", headers=headers) is not None
    assert key not in stack.logs() + (stack.folder / "triton.log").read_text()
    first.kill()
    while True:
        try:
            if triton.is_server_ready(client_timeout=2):
                break
        except InferenceServerException:
            time.sleep(0.2)
    assert key_of(server(stack)) != key
    with pytest.raises(InferenceServerException, match="protocol is restricted"):
        triton.get_model_config("classify_tiny", headers=headers)
