"""The built browser client (web/dist), with its own Content-Security-Policy. Without a build there is only the API."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import FileResponse
from fastapi.routing import APIRoute
from fastapi.staticfiles import StaticFiles
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import Scope

from hepar.core.errors import NotFound

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; font-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)
_API_PATHS = ("/v1/", "/dicom-web/", "/.well-known/", "/problems/", "/docs/", "/healthz", "/readyz")


class _Assets(StaticFiles):
    """Their names contain a hash of their content, so browsers may cache them for ever."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["cache-control"] = "public, max-age=31536000, immutable"
        return response


class _PageRoute(APIRoute):
    """Every path outside the API; there a path or a method that does not exist is a problem, not a page."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if scope["type"] == "http" and scope["path"].startswith(_API_PATHS):
            return Match.NONE, {}
        return super().matches(scope)


def install_web(app: FastAPI, folder: Path) -> None:
    """Last of all routes: the browser client itself knows which of the remaining paths are pages."""
    index = folder / "index.html"
    if not index.is_file():
        return
    files = {file.name: file for file in folder.iterdir() if file.is_file() and file != index}
    app.mount("/assets", _Assets(directory=folder / "assets"), name="web-assets")

    async def page(path: str, request: Request) -> FileResponse:
        if path in files:
            return FileResponse(files[path])
        if "text/html" not in request.headers.get("accept", ""):
            raise NotFound
        return FileResponse(index, headers={"Content-Security-Policy": _POLICY, "Cache-Control": "no-cache"})

    app.router.routes.append(
        _PageRoute("/{path:path}", page, methods=["GET"], response_model=None, include_in_schema=False)
    )
