"""Server-sent events (WHATWG HTML, section 9.2): the results of a batch as they become ready."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import Depends, Request
from pydantic import BaseModel
from sse_starlette import EventSourceResponse, ServerSentEvent

from hepar.contracts.batches import BatchEnd

MEDIA_TYPE = "text/event-stream"
PING_S = 15
_WEIGHT = re.compile(r"q=[01](\.[0-9]{0,3})?")


async def _accepts_events(request: Request) -> bool:
    """Whether the caller prefers events to JSON. Generated clients accept both alike, and read JSON."""
    preference: dict[str, float] = {}
    for entry in request.headers.get("accept", "").split(","):
        kind, *parameters = entry.replace(" ", "").lower().split(";")
        weights = [parameter[2:] for parameter in parameters if _WEIGHT.fullmatch(parameter)]
        preference[kind] = float(weights[0]) if weights else 1.0
    return preference.get(MEDIA_TYPE, 0.0) > preference.get("application/json", 0.0)


EventsAccepted = Annotated[bool, Depends(_accepts_events)]


def event_stream_response(item: type[BaseModel]) -> dict[int | str, dict[str, Any]]:
    """`responses` of a route that answers with `item` events, and an `end`, where the caller accepts them."""
    template = "#/components/schemas/{model}"
    schemas = {
        f"x-event-{name}": document.model_json_schema(ref_template=template)
        for name, document in (("item", item), ("end", BatchEnd))
    }
    for schema in schemas.values():
        schema.pop("$defs", None)
    description = f"events `item`, each with a JSON document ({item.__name__}), then one `end` ({BatchEnd.__name__})"
    example = 'event: item\ndata: {"index": 0, "item": {...}}\n\nevent: end\ndata: {"count": 1}\n\n'
    content = {"schema": {"type": "string", "description": description} | schemas, "example": example}
    return {200: {"content": {MEDIA_TYPE: content}}}


async def event_stream(items: AsyncIterator[BaseModel]) -> EventSourceResponse:
    """One `item` event per item, then `end` with their number.

    Waits for the first item, so that an error before it becomes a response with its own status. Raises what `items`
    raises.
    """
    first = await anext(items, None)

    async def events() -> AsyncIterator[ServerSentEvent]:
        count = 0
        if first is not None:
            count += 1
            yield _event(first, "item")
            async for item in items:
                count += 1
                yield _event(item, "item")
        yield _event(BatchEnd(count=count), "end")

    return EventSourceResponse(events(), ping=PING_S, sep="\n")


def _event(document: BaseModel, name: str) -> ServerSentEvent:
    return ServerSentEvent(document.model_dump_json(), event=name, sep="\n")
