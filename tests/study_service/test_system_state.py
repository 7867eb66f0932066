"""The state of the service over HTTP, for administrators only."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from hepar.contracts.system_state import SystemState
from tests.support.finished_studies import fail_study, finish_study
from tests.support.study_api import ct_files, study_api
from tests.support.tokens import TokenAuthority


def test_administrators_see_the_queue_and_the_disks(authority: TokenAuthority, tmp_path: Path) -> None:
    with study_api(tmp_path, authority) as api:
        headers = api.headers(scope="studies all-studies")

        def state() -> SystemState:
            answer = api.client.get("/v1/system", headers=headers)
            assert answer.status_code == 200, answer.text
            return SystemState.model_validate_json(answer.content)

        empty = state()
        assert (empty.queue.waiting, empty.queue.running, empty.queue.oldest_wait_s) == (0, 0, None)
        assert {disk.purpose for disk in empty.disks} == {"objects", "uploads"}
        assert all(0 < disk.free_bytes <= disk.total_bytes for disk in empty.disks)
        began = time.monotonic()
        finished, failed, _ = (api.send(ct_files())["id"] for _ in range(3))
        finish_study(api.settings, finished)
        fail_study(api.settings, failed)
        queue = state().queue
        assert (queue.waiting, queue.finished_last_day, queue.failed_last_day) == (1, 1, 1)
        assert queue.oldest_wait_s is not None
        assert queue.oldest_wait_s <= time.monotonic() - began + 1


@pytest.mark.parametrize("scope", ["studies", "all-studies"])
def test_others_see_nothing(authority: TokenAuthority, tmp_path: Path, scope: str) -> None:
    with study_api(tmp_path, authority) as api:
        assert api.client.get("/v1/system", headers=api.headers(scope=scope)).status_code == 403
