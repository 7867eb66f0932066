"""The list of models."""

from __future__ import annotations

import asyncio
from typing import Literal

from fastapi import APIRouter

from gateway.api.dependencies import IMAGE_SCOPE_REQUIRED, DeadlineDep, Dependencies, TokenDep, authorization
from hepar.contracts.models import ModelList
from hepar.core.errors import HeparError
from hepar.web.upstream import Upstream

_Task = Literal["classification", "detection"]
_TASKS: tuple[_Task, ...] = ("classification", "detection")
router = APIRouter(prefix="/v1", tags=["models"], dependencies=[IMAGE_SCOPE_REQUIRED])


@router.get("/models", summary="List the models", name="models")
async def list_models(dependencies: Dependencies, deadline: DeadlineDep, token: TokenDep) -> ModelList:
    """Every classifier, every detector and the input check: its model card, with its metrics on held-out patients and
    its limits, and whether it answers now.

    A task whose service does not answer is named in `missing_tasks`.
    """

    async def request(upstream: Upstream) -> ModelList | HeparError:
        try:
            return await upstream.call(ModelList, "GET", "/v1/models", deadline, headers=authorization(token))
        except HeparError as error:
            return error

    answers = await asyncio.gather(request(dependencies.classify), request(dependencies.detect))
    lists = [answer for answer in answers if isinstance(answer, ModelList)]
    if not lists:
        raise next(answer for answer in answers if isinstance(answer, HeparError))
    found = {model.card.name: model for part in lists for model in part.models}
    missing: list[_Task] = [
        task for task, answer in zip(_TASKS, answers, strict=True) if isinstance(answer, HeparError)
    ]
    return ModelList(models=[found[name] for name in sorted(found)], missing_tasks=missing)
