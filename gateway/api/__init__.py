"""Routes of the gateway, one module per subject."""

from fastapi import FastAPI

from gateway.api import accounts, analyses, dicomweb, fhir, images, models, studies
from hepar.web.openapi import Json

UPLOAD_PATHS = images.PATHS | analyses.PATHS
"""Routes of images, which read their bodies themselves, in chunks."""


def install_routes(app: FastAPI, document: Json) -> None:
    """document: the public OpenAPI document: what it lists of auth_service and study_service is forwarded."""
    app.include_router(models.router)
    app.include_router(analyses.router)
    app.include_router(images.router())
    app.include_router(accounts.router(document))
    app.include_router(studies.router(document))
    app.include_router(fhir.router)
    app.include_router(dicomweb.router)
