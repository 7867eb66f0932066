"""Routes of study_service, one module per subject."""

from fastapi import FastAPI

from study_service.api import (
    destinations,
    dicomweb_retrieve,
    dicomweb_search,
    dicomweb_store,
    events,
    exports,
    fhir,
    files,
    findings,
    results,
    sends,
    studies,
    system,
    webhooks,
)


def install_routes(app: FastAPI) -> None:
    for module in (
        studies, events, results, findings, files, exports, sends, webhooks, destinations, system, fhir,
        dicomweb_search, dicomweb_retrieve, dicomweb_store,
    ):  # fmt: skip
        app.include_router(module.router)
