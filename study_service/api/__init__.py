"""Routes of study_service, one module per subject."""

from fastapi import FastAPI

from study_service.api import events, results, studies, webhooks


def install_routes(app: FastAPI) -> None:
    for module in (studies, events, results, webhooks):
        app.include_router(module.router)
