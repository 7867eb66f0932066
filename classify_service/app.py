"""The app of classify_service."""

from __future__ import annotations

from fastapi import FastAPI

from classify_service.api import UPLOAD_PATHS, router
from classify_service.classifiers import Classifiers
from classify_service.internal import INTERNAL_PATHS
from classify_service.internal import router as internal_router
from classify_service.settings import ClassifySettings
from hepar.serving.app import new_model_service_app


def create_app(settings: ClassifySettings) -> FastAPI:
    return new_model_service_app(
        "Hepar classify_service",
        "Classification of CT images by a calibrated vote",
        settings,
        router,
        internal_router,
        UPLOAD_PATHS | INTERNAL_PATHS,
        "classification",
        Classifiers,
    )
