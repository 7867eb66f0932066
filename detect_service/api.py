"""Routes of detect_service."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request

from detect_service.detectors import Detectors, Findings
from hepar.contracts.analyses import Box, Detection, DetectorReport
from hepar.contracts.problems import Problem
from hepar.imaging import CtImage
from hepar.service.images import image_facts
from hepar.service.model_app import DeadlineDep, UploadedImage
from hepar.service.requests import current_request_id
from hepar.service.uploads import IMAGE_OPENAPI

router = APIRouter(tags=["detection"], responses={"4XX": {"model": Problem}, "5XX": {"model": Problem}})

UPLOAD_PATHS = frozenset({"/v1/detections"})


def _detectors(request: Request) -> Detectors:
    detectors: Detectors = request.app.state.detectors
    return detectors


DetectorsDep = Annotated[Detectors, Depends(_detectors)]


@router.post("/v1/detections", summary="Find lesions in one CT image", openapi_extra=IMAGE_OPENAPI)
async def detect(detectors: DetectorsDep, deadline: DeadlineDep, image: UploadedImage) -> Detection:
    """Boxes of lesions, fused over all detectors."""
    return _shaped(await detectors.find(image, deadline), image)


def _shaped(found: Findings, image: CtImage) -> Detection:
    return Detection(
        boxes=[
            Box(
                x_min=round(box.corners[0], 1),
                y_min=round(box.corners[1], 1),
                x_max=round(box.corners[2], 1),
                y_max=round(box.corners[3], 1),
                label=box.label,
                score=round(box.score, 4),
                detectors=list(box.detectors),
            )
            for box in found.fused
        ],
        detectors=[
            DetectorReport(
                model=finding.model,
                version=finding.version,
                boxes=len(finding.boxes),
                duration_ms=round(finding.duration_ms, 1),
            )
            for finding in found.findings
        ],
        degraded=found.missing,
        image=image_facts(image),
        request_id=current_request_id(),
    )
