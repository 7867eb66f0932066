"""The decoder as a weapon: many slow images of one account, and a machine that is slow."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor

import httpx
import psutil

from tests.support.callers import sign_up
from tests.support.pictures import encoded, gradient
from tests.support.stack import Stack

SLOW = encoded(gradient(5_000, 5_000), "WEBP", quality=50, method=0)
"""More than a second of processor time."""
SMALL = encoded(gradient())
SLOW_IMAGES = 40
PAUSE_S = 6.0


def classify(stack: Stack, caller: dict[str, str], content: bytes) -> httpx.Response:
    url = f"{stack.settings.gateway_url}/v1/classifications"
    headers = caller | {"content-type": "image/png"}
    return httpx.post(url, content=content, headers=headers, timeout=120, trust_env=False)


def decode_workers(stack: Stack) -> list[psutil.Process]:
    """Of classify_service: the children of multiprocessing's fork server."""
    children = stack.process("-m classify_service").children(recursive=True)
    return [child for child in children if "forkserver" in " ".join(child.cmdline()) and not child.children()]


def processor_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def test_many_slow_images_of_one_account_do_not_delay_another(stack: Stack, client: httpx.Client) -> None:
    greedy, other = sign_up(client), sign_up(client)
    with ThreadPoolExecutor(SLOW_IMAGES) as pool:
        flood = [pool.submit(classify, stack, greedy, SLOW) for _ in range(SLOW_IMAGES)]
        while not any(answer.done() for answer in flood):  # refused, for the places to wait are taken
            time.sleep(0.05)
        for _ in range(3):
            assert classify(stack, other, SMALL).status_code == 200
        before = answered(flood)
    assert before < SLOW_IMAGES / 2, "the other account did not wait for them"
    for answer in (one.result() for one in flood):
        # 429: more at the same time than an account may have.  504: a busy machine needs more than the deadline.
        assert answer.status_code in (200, 429, 503, 504), answer.text
        if answer.status_code == 503:
            assert answer.json()["type"] == "/problems/busy"
        if answer.status_code in (429, 503):
            assert int(answer.headers["retry-after"]) > 0


def answered(flood: list[Future[httpx.Response]]) -> int:
    return sum(one.done() and one.result().status_code == 200 for one in flood)


def test_a_pause_of_the_machine_does_not_turn_a_good_image_into_an_unreadable_one(
    stack: Stack, client: httpx.Client
) -> None:
    """The worker stands still for longer than the four seconds that a file once had."""
    caller = sign_up(client)
    assert classify(stack, caller, SMALL).status_code == 200
    workers = decode_workers(stack)
    assert workers
    before = {worker.pid: processor_s(worker) for worker in workers}
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(classify, stack, caller, SLOW)
        busy = list[psutil.Process]()
        while not busy:
            assert not answer.done(), "it was not decoded slowly enough to be paused"
            busy = [worker for worker in workers if processor_s(worker) - before[worker.pid] > 0.1]
            time.sleep(0.01)
        for worker in workers:
            worker.suspend()
        time.sleep(PAUSE_S)
        for worker in workers:
            worker.resume()
        assert answer.result().status_code == 200, answer.result().text
