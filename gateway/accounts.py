"""Accounts, tokens, clients and the audit: auth_service's own routes, passed on. It checks the tokens itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import APIRouter, FastAPI, Request, Response

from gateway.api import GatewayDependencies
from gateway.operations import OPERATIONS, Operation
from hepar.core.deadlines import Deadline

_PASSED_HEADERS = ("authorization", "content-type")


def install_account_routes(app: FastAPI) -> None:
    router = APIRouter()
    for operation in OPERATIONS:
        router.add_api_route(
            operation.path,
            _route(operation),
            methods=[operation.method],
            summary=operation.summary,
            tags=[operation.tag],
            status_code=operation.status,
            response_model=operation.answer,
            name=operation.name,
        )
    app.include_router(router)


def _route(operation: Operation) -> Callable[[Request], Awaitable[Response]]:
    async def propagation_headers(request: Request) -> Response:
        dependencies: GatewayDependencies = request.app.state.dependencies
        headers = {name: request.headers[name] for name in _PASSED_HEADERS if name in request.headers}
        if request.client is not None:
            headers["x-forwarded-for"] = request.client.host
        query = f"?{request.url.query}" if request.url.query else ""
        deadline = Deadline.after(dependencies.settings.account_deadline_s)
        answer = await dependencies.auth.ask(
            operation.method,
            request.scope["raw_path"].decode() + query,
            deadline,
            headers=headers,
            content=await request.body(),
        )
        if operation.answer is None:
            return Response(status_code=answer.status_code)
        document = dependencies.auth.read(operation.answer, answer)
        location = {"Location": answer.headers["location"]} if "location" in answer.headers else None
        return Response(document.model_dump_json(), answer.status_code, location, media_type="application/json")

    return propagation_headers
