"""Swagger UI and ReDoc from local files, and a page for each problem type."""

from __future__ import annotations

from html import escape
from pathlib import Path

from fastapi import APIRouter, FastAPI
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles

from hepar.contracts.base import RESEARCH_USE_NOTICE
from hepar.contracts.problem_types import PREFIX, PROBLEM_TYPES
from hepar.contracts.problems import ProblemType
from hepar.core.errors import NotFound

ASSETS = Path(__file__).parent / "assets"
_ASSETS_PATH = "/docs/assets"
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; worker-src blob:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
_HEADERS = {"Content-Security-Policy": _POLICY}


def install_docs_pages(app: FastAPI, document: str, *, pages: bool = True) -> None:
    """Adds /problems, and with `pages` /docs and /redoc. document: the path of the OpenAPI document that they show."""
    _install_problems(app)
    if not pages:
        return
    router = APIRouter(include_in_schema=False)
    app.mount(_ASSETS_PATH, StaticFiles(directory=ASSETS), name="docs-assets")

    @router.get("/docs")
    async def swagger_ui() -> HTMLResponse:
        return _page(
            app.title,
            f'<link rel="stylesheet" href="{_ASSETS_PATH}/swagger-ui.css">',
            f'<div id="ui"></div><script src="{_ASSETS_PATH}/swagger-ui-bundle.js"></script>'
            f'<script src="{_ASSETS_PATH}/swagger-start.js" data-document="{document}"></script>',
        )

    @router.get("/redoc")
    async def redoc() -> HTMLResponse:
        return _page(
            app.title,
            "",
            f'<redoc spec-url="{document}" disable-search="true"></redoc>'
            f'<script src="{_ASSETS_PATH}/redoc.standalone.js"></script>',
        )

    app.include_router(router)


def _install_problems(app: FastAPI) -> None:
    router = APIRouter(include_in_schema=False)

    @router.get(PREFIX.rstrip("/"))
    async def problems() -> HTMLResponse:
        rows = "".join(
            f'<li><a href="{PREFIX}{name}">{escape(kind.title)}</a> ({_statuses(kind)})</li>'
            for name, kind in PROBLEM_TYPES.items()
        )
        return _page("Problems", "", f"<h1>Problems</h1><ul>{rows}</ul>")

    @router.get(PREFIX + "{name}")
    async def problem(name: str) -> HTMLResponse:
        kind = PROBLEM_TYPES.get(name)
        if kind is None:
            raise NotFound
        text = (
            f"<h1>{escape(kind.title)}</h1><p><code>{PREFIX}{name}</code>, status {_statuses(kind)}</p>"
            f"<h2>Cause</h2><p>{escape(kind.cause)}</p><h2>What to do</h2><p>{escape(kind.action)}</p>"
            f'<p><a href="{PREFIX.rstrip("/")}">All problems</a></p>'
        )
        return _page(kind.title, "", text)

    app.include_router(router)


def _statuses(kind: ProblemType) -> str:
    return " or ".join(map(str, kind.statuses))


def _page(title: str, head: str, body: str) -> HTMLResponse:
    html = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)} - Hepar</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">{head}</head>'
        f"<body>{body}<p><small>{escape(RESEARCH_USE_NOTICE)}</small></p></body></html>"
    )
    return HTMLResponse(html, headers=_HEADERS)


def problems_page() -> str:
    """docs/problems.md."""
    lines = [
        "# Problems",
        "",
        "Every error is `application/problem+json` (RFC 9457). Its `type` is one of these, relative to the gateway,",
        "which serves a page at that path. Written by `make openapi`; do not edit.",
        "",
    ]
    for name, kind in PROBLEM_TYPES.items():
        lines += [f"## `{PREFIX}{name}`", "", f"**{kind.title}**, status {_statuses(kind)}.", ""]
        lines += [f"*Cause.* {kind.cause}", "", f"*What to do.* {kind.action}", ""]
    return "\n".join(lines)
