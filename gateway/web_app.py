"""web/: the browser's pages as Vite built them, under a policy of their own. Without a build there is the API alone."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles
from starlette.responses import Response
from starlette.types import Scope

from hepar.core.errors import NotFound

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; font-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)
_OF_THE_API = ("v1/", ".well-known/", "problems/", "docs/", "healthz", "readyz")


class _Assets(StaticFiles):
    """Their names hold a hash of their content: they may be kept for ever."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["cache-control"] = "public, max-age=31536000, immutable"
        return response


def install_web(app: FastAPI, folder: Path) -> None:
    """Last of all routes: every other address that a browser opens is a page of the app, which knows its own."""
    index = folder / "index.html"
    if not index.is_file():
        return
    files = {file.name: file for file in folder.iterdir() if file.is_file() and file != index}
    app.mount("/assets", _Assets(directory=folder / "assets"), name="web-assets")

    @app.get("/{path:path}", include_in_schema=False)
    async def page(path: str, request: Request) -> FileResponse:
        if path in files:
            return FileResponse(files[path])
        if path.startswith(_OF_THE_API) or "text/html" not in request.headers.get("accept", ""):
            raise NotFound
        return FileResponse(index, headers={"Content-Security-Policy": _POLICY, "Cache-Control": "no-cache"})
