"""Models that are added, changed and removed while a service runs."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hepar.contracts.analyses import Classification
from hepar.inference import ModelRepositoryWatcher, TritonClient
from tests.support.model_services import ModelServices
from tests.support.pictures import encoded, nearly_flat
from tests.support.tiny_models import write_classifier
from tests.support.triton import RunningTriton

WITHIN_S = 40


def place(repositories: list[Path], name: str, staging: Path, bias: tuple[float, float, float]) -> None:
    """As in docs/models.md: written elsewhere, then moved in one step."""
    write_classifier(staging, name, bias)
    for repository in repositories:
        copy = staging / f"copy-of-{name}"
        shutil.copytree(staging / name, copy)
        copy.rename(repository / name)
    shutil.rmtree(staging / name)


def wait_until(classify: Callable[[], Classification], expected: Callable[[Classification], bool]) -> Classification:
    """Each intermediate response must be valid, too."""
    deadline = time.monotonic() + WITHIN_S
    while not expected(answer := classify()):
        assert time.monotonic() < deadline, answer
        time.sleep(0.3)
    return answer


@pytest.fixture
def repository(triton: RunningTriton, tmp_path: Path) -> Iterator[Path]:
    """The service's own copy of the models; Triton's is shared with other tests."""
    view = tmp_path / "models"
    view.mkdir()
    shutil.copytree(triton.repository / "classify_steady", view / "classify_steady")
    yield view
    for name in ("classify_late", "classify_never"):
        shutil.rmtree(triton.repository / name, ignore_errors=True)


def test_a_model_is_added_changed_and_removed_without_a_restart(
    triton: RunningTriton, repository: Path, tmp_path: Path, services: ModelServices
) -> None:
    with services.classify(repository) as client:

        def classify() -> Classification:
            answer = client.post(
                "/v1/classifications", content=encoded(nearly_flat(0)), headers={"content-type": "image/png"}
            )
            assert answer.status_code == 200, answer.text
            return Classification.model_validate_json(answer.content)

        assert [vote.model for vote in classify().votes] == ["classify_steady"]
        place([triton.repository, repository], "classify_late", tmp_path / "staging", (4, 0, 0))
        joined = wait_until(classify, lambda answer: len(answer.votes) == 2)
        assert joined.missing_models == []
        assert {vote.model: vote.label for vote in joined.votes}["classify_late"] == "cholangiocarcinoma"

        newer = tmp_path / "newer"
        write_classifier(newer, "classify_late", (0, 0, 4))
        (newer / "classify_late" / "1").rename(triton.repository / "classify_late" / "2")
        changed = wait_until(classify, lambda answer: answer.votes[0].version == "2")
        assert changed.votes[0].label == "no_tumour"

        shutil.rmtree(repository / "classify_late")
        left = wait_until(classify, lambda answer: len(answer.votes) == 1)
        assert (left.label, left.missing_models) == ("metastasis", [])


def test_a_card_is_not_used_before_its_model_is_loaded_or_while_it_is_invalid(
    triton: RunningTriton, repository: Path
) -> None:
    async def scenario() -> None:
        async with TritonClient(triton.grpc) as client:
            models = ModelRepositoryWatcher(client, repository, "classification")
            at_start = models.current
            await models.refresh()
            assert models.current is at_start, "nothing changed"
            write_classifier(repository, "classify_never", (1, 0, 0))
            await models.refresh()
            assert set(models.current.cards) == {"classify_steady"}
            write_classifier(triton.repository, "classify_never", (1, 0, 0))
            for _ in range(WITHIN_S):
                await models.refresh()
                if len(models.current.cards) == 2:
                    break
                await asyncio.sleep(1)
            assert set(models.current.cards) == {"classify_never", "classify_steady"}
            (repository / "classify_never" / "card.json").write_text("{")
            await models.refresh()
            await models.refresh()
            assert set(models.current.cards) == {"classify_never", "classify_steady"}
            for name in ("classify_never", "classify_steady"):
                shutil.rmtree(repository / name)
            await models.refresh()
            assert models.current.cards == {}

    asyncio.run(scenario())


def test_a_service_without_any_model_left_is_not_ready(
    triton: RunningTriton, repository: Path, services: ModelServices
) -> None:
    with services.classify(repository) as client:
        shutil.rmtree(repository / "classify_steady")
        deadline = time.monotonic() + WITHIN_S
        while client.get("/readyz").status_code == 200:
            assert time.monotonic() < deadline
            time.sleep(0.2)
        headers = {"content-type": "image/png"}
        answer = client.post("/v1/classifications", content=encoded(nearly_flat(0)), headers=headers)
        assert answer.status_code == 503
        assert "no model is loaded" in answer.json()["detail"]
