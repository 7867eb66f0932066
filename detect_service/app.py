"""The app of detect_service."""

from __future__ import annotations

from functools import partial

from fastapi import FastAPI

from detect_service.api import UPLOAD_PATHS, router
from detect_service.detectors import Detectors
from detect_service.internal import INTERNAL_PATHS
from detect_service.internal import router as internal_router
from detect_service.settings import DetectSettings
from hepar.serving.app import new_model_service_app


def create_app(settings: DetectSettings) -> FastAPI:
    return new_model_service_app(
        "Hepar detect_service",
        "Detection of lesions in CT images",
        settings,
        router,
        internal_router,
        UPLOAD_PATHS | INTERNAL_PATHS,
        "detection",
        partial(Detectors, overlap=settings.fusion_overlap),
    )
