"""One measurement by Locust in a process of its own, which gevent patches: `python -m bench.load JSON`.

Every client sends its next image as soon as it has the answer to the last. The answer is JSON on stdout.
"""

from __future__ import annotations

# gevent first: it replaces the sockets that all later imports use.
import gevent.monkey

gevent.monkey.patch_all()

import json
import sys
import time
from pathlib import Path
from typing import Any

import gevent
import grpc.experimental.gevent
import httpx
import numpy as np
import psutil
from locust import FastHttpUser, User, task
from locust.env import Environment
from tritonclient.grpc import InferenceServerClient, InferInput, InferRequestedOutput

from bench.processes import cpu_s, family

grpc.experimental.gevent.init_gevent()


def main() -> None:
    order = json.loads(sys.argv[1])
    server = InferenceServerClient(order["host"]) if order["kind"] == "triton" else None
    kind = _http_user(order) if server is None else _triton_user(server, order["models"])
    environment = Environment(user_classes=[kind], host=order["host"])
    latencies: list[float] = []
    errors: list[str] = []
    counting = False

    def answered(response_time: float, exception: Exception | None, **_: object) -> None:
        if not counting:
            return
        if exception is None:
            latencies.append(response_time)
        else:
            errors.append(f"{type(exception).__name__}: {exception}")

    environment.events.request.add_listener(answered)
    runner = environment.create_local_runner()
    runner.start(order["clients"], spawn_rate=100)
    gevent.sleep(order["warm_up_s"])
    spent_s = _cpu_s(order.get("root"))
    counting, started = True, time.perf_counter()
    if order.get("requests"):
        while len(latencies) + len(errors) < order["requests"]:
            gevent.sleep(0.05)
    else:
        gevent.sleep(order["seconds"])
    counting, seconds = False, time.perf_counter() - started
    spent_s = _cpu_s(order.get("root")) - spent_s
    runner.quit()
    if server is not None:
        server.close()  # at interpreter exit it would wait for gevent, which is already gone
    answer = {"latencies_ms": latencies, "seconds": seconds, "cpu_s": spent_s, "errors": errors[:20]}
    json.dump(answer, sys.stdout)


def _cpu_s(root: int | None) -> float:
    """Processor time that a process and its descendants have used; 0 without one."""
    if root is None:
        return 0.0
    return cpu_s(family(psutil.Process(root)))


def _http_user(order: dict[str, Any]) -> type[User]:
    content, kind = Path(order["image"]).read_bytes(), "image/png"
    if order.get("images", 1) > 1:
        files = [("image", ("image.png", content, kind))] * order["images"]
        batch = httpx.Request("POST", order["host"], files=files)
        content, kind = batch.read(), batch.headers["Content-Type"]
    headers = {"Content-Type": kind, **order["headers"]}

    class Client(FastHttpUser):
        @task
        def post(self) -> None:
            with self.client.post(
                order["path"],
                data=content,  # pyright: ignore[reportArgumentType]  bytes are taken
                headers=headers,
                catch_response=True,
            ) as answer:
                if '"kind":"problem"' in (answer.text or ""):  # also of one image in a batch
                    answer.failure(answer.text)

    return Client


def _triton_user(server: Any, models: list[str]) -> type[User]:  # noqa: ANN401  tritonclient has no types
    """One image is one parallel call of every model over one connection, as in a service."""
    calls = [_call(server, model) for model in models]

    class Client(User):
        @task
        def ask(self) -> None:
            started = time.perf_counter()
            greenlets = [gevent.spawn(call) for call in calls]
            gevent.joinall(greenlets)
            failed = next((one.exception for one in greenlets if one.exception is not None), None)
            self.environment.events.request.fire(
                request_type="gRPC",
                name="image",
                response_time=(time.perf_counter() - started) * 1e3,
                response_length=0,
                exception=failed,
                context={},
            )

    return Client


def _call(server: Any, model: str) -> Any:  # noqa: ANN401  tritonclient has no types
    metadata = server.get_model_metadata(model)
    # Activation maps are returned only on request, so they are not requested here either.
    wanted = [InferRequestedOutput(output.name) for output in metadata.outputs if output.name != "activation"]
    sizes = [max(int(size), 1) for size in metadata.inputs[0].shape]
    tensor = InferInput("image", sizes, "UINT8")
    tensor.set_data_from_numpy(np.random.default_rng(0).integers(0, 255, sizes).astype(np.uint8))
    return lambda: server.infer(model, [tensor], outputs=wanted)


if __name__ == "__main__":
    main()
