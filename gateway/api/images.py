"""Classifications, detections and segmentations: routes of the services behind the gateway, which describe them.

The gateway checks the token's scope and the size of the upload, streams the body on with the caller's query, and passes
on an answer only where it is the document that was promised.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from gateway.api.dependencies import (
    IMAGE_SCOPE_REQUIRED,
    BatchDeadlineDep,
    DeadlineDep,
    Dependencies,
    GatewayDependencies,
    Upload,
    UploadDep,
)
from gateway.complete_results import record_completeness, with_recorded_completeness
from hepar.contracts.analyses import Classification, Detection
from hepar.contracts.batches import ClassificationBatch, ClassificationItem, DetectionBatch, DetectionItem
from hepar.contracts.segmentations import Segmentation
from hepar.core.deadlines import Deadline
from hepar.web.events import EventsAccepted, event_stream
from hepar.web.upstream import Upstream


@dataclass(frozen=True)
class _Route:
    service: Literal["classify", "detect"]
    path: str
    answer: type[BaseModel]

    def upstream(self, dependencies: GatewayDependencies) -> Upstream:
        return dependencies.classify if self.service == "classify" else dependencies.detect


@dataclass(frozen=True)
class _BatchRoute(_Route):
    """item: the document of one event."""

    item: type[BaseModel]


_ROUTES = (
    _Route("classify", "/v1/classifications", Classification),
    _Route("detect", "/v1/detections", Detection),
    _Route("detect", "/v1/segmentations", Segmentation),
    _BatchRoute("classify", "/v1/classifications/batch", ClassificationBatch, ClassificationItem),
    _BatchRoute("detect", "/v1/detections/batch", DetectionBatch, DetectionItem),
)
PATHS = frozenset(route.path for route in _ROUTES)


def router() -> APIRouter:
    made = APIRouter(include_in_schema=False, dependencies=[IMAGE_SCOPE_REQUIRED])
    for route in _ROUTES:
        endpoint = _batch_endpoint(route) if isinstance(route, _BatchRoute) else _endpoint(route)
        made.add_api_route(route.path, endpoint, methods=["POST"])
    return made


def _endpoint(route: _Route) -> Callable[..., Awaitable[Response]]:
    async def forward(
        request: Request, dependencies: Dependencies, deadline: DeadlineDep, upload: UploadDep
    ) -> Response:
        return await _forwarded(route, request, dependencies, deadline, upload)

    return forward


def _batch_endpoint(route: _BatchRoute) -> Callable[..., Awaitable[Response]]:
    async def forward(
        request: Request,
        dependencies: Dependencies,
        deadline: BatchDeadlineDep,
        upload: UploadDep,
        events: EventsAccepted,
    ) -> Response:
        if not events:
            return await _forwarded(route, request, dependencies, deadline, upload)
        upstream, target = route.upstream(dependencies), upload.target(route.path)
        items = upstream.events(route.item, target, deadline, headers=upload.headers, content=upload.body)
        return await event_stream(with_recorded_completeness(request, items))

    return forward


async def _forwarded(
    route: _Route, request: Request, dependencies: GatewayDependencies, deadline: Deadline, upload: Upload
) -> Response:
    """The service's own bytes, once they are known to be the document that was promised."""
    upstream, target = route.upstream(dependencies), upload.target(route.path)
    answer = await upstream.request("POST", target, deadline, headers=upload.headers, content=upload.body)
    record_completeness(request, upstream.parsed(route.answer, answer.content))
    return Response(answer.content, media_type="application/json")
