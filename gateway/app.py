"""The gateway: wiring."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.middleware import Middleware

from gateway.api import UPLOAD_PATHS, install_routes
from gateway.api.dependencies import GatewayDependencies
from gateway.authentication import AuthenticationMiddleware
from gateway.browser_headers import install_browser_headers
from gateway.capacity import Capacity
from gateway.fhir_errors import OperationOutcomes
from gateway.idempotency import IdempotencyMiddleware
from gateway.openapi import load_public_document
from gateway.rate_limit import RateLimitMiddleware
from gateway.settings import GatewaySettings
from gateway.shared_state import shared_state
from gateway.web_app import install_web
from hepar.contracts.studies import STUDY_UPLOAD_PATHS
from hepar.core.request_context import current_request_id
from hepar.storage.stored_responses import StorageBudget
from hepar.web.access_tokens import TokenRules
from hepar.web.app import Lifespan, new_app
from hepar.web.bearer import IMAGE_SCOPE
from hepar.web.in_flight import CallerBusy, InFlightLimit
from hepar.web.openapi import Json
from hepar.web.problems import problem_response
from hepar.web.token_verifier import verifier_of
from hepar.web.uploads import MULTIPART_OVERHEAD_BYTES
from hepar.web.upstream import Upstream, UpstreamProblem, open_upstream


def create_app(settings: GatewaySettings, document: Json | None = None) -> FastAPI:
    """document: the public OpenAPI document; gateway/openapi.json by default."""
    document = load_public_document() if document is None else document
    capacity = Capacity(settings.concurrent_max, settings.study_uploads_max)
    app = new_app(
        "Hepar",
        "Find and classify liver tumours on CT: research software, not a medical device",
        settings,
        _lifespan(settings),
        UPLOAD_PATHS | STUDY_UPLOAD_PATHS,
        document="/v1/openapi.json",
        upload_s=dict.fromkeys(STUDY_UPLOAD_PATHS, settings.study_upload_s),
        before_body=[
            Middleware(AuthenticationMiddleware),
            Middleware(InFlightLimit, capacity.of_caller, CallerBusy, until_sent=True),
            Middleware(RateLimitMiddleware, settings.account_per_minute, settings.address_per_minute),
        ],
        shares=capacity.of_all,
        inside=[
            Middleware(
                IdempotencyMiddleware, UPLOAD_PATHS, IMAGE_SCOPE, settings.upload_bytes_max + MULTIPART_OVERHEAD_BYTES
            ),
        ],
    )
    app.add_exception_handler(UpstreamProblem, _upstream_problem)
    install_routes(app, document)
    install_web(app, settings.web_folder)
    app.add_middleware(OperationOutcomes)
    install_browser_headers(app, settings)
    app.openapi_schema = document
    return app


def _lifespan(settings: GatewaySettings) -> Lifespan:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            budget = StorageBudget(settings.stored_account_bytes_max, settings.stored_bytes_max)
            await stack.enter_async_context(shared_state(app, settings.database_url, budget))
            app.state.dependencies = dependencies = await _open_dependencies(settings, stack)
            app.state.readiness = partial(_readiness, dependencies)
            await dependencies.verifier.keys.refresh()  # auth_service may start later: unknown keys are fetched again
            yield

    return lifespan


async def _open_dependencies(settings: GatewaySettings, stack: AsyncExitStack) -> GatewayDependencies:
    async def upstream(url: str, purpose: str) -> Upstream:
        return await stack.enter_async_context(open_upstream(url, purpose, settings.concurrent_max * 2))

    auth = await upstream(settings.auth_url, "sign-in")

    return GatewayDependencies(
        settings=settings,
        verifier=verifier_of(auth, TokenRules(settings.issuer, settings.audience)),
        auth=auth,
        classify=await upstream(settings.classify_url, "classification"),
        detect=await upstream(settings.detect_url, "detection"),
        study=await upstream(settings.study_url, "studies"),
    )


async def _readiness(dependencies: GatewayDependencies) -> dict[str, bool]:
    keys_known, sign_in, classification, detection, studies = await asyncio.gather(
        dependencies.verifier.keys.refresh(),
        dependencies.auth.ready(),
        dependencies.classify.ready(),
        dependencies.detect.ready(),
        dependencies.study.ready(),
    )
    return {
        "sign_in": keys_known and sign_in,
        "classification": classification,
        "detection": detection,
        "studies": studies,
    }


async def _upstream_problem(_request: Request, error: Exception) -> JSONResponse:
    """A service's problem, under the id of this request."""
    assert isinstance(error, UpstreamProblem)  # noqa: S101  the registration above says so
    problem = error.problem.model_copy(update={"request_id": current_request_id()})
    headers = {"Retry-After": error.retry_after} if error.retry_after else {}
    if problem.status == 401:
        headers["WWW-Authenticate"] = "Basic" if problem.error == "invalid_client" else "Bearer"
    return problem_response(problem, headers)
