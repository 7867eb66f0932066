"""Routes of detect_service."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request

from detect_service.detectors import Detectors, Findings
from detect_service.settings import DetectSettings
from hepar.contracts.analyses import Box, Detection, DetectorReport
from hepar.contracts.problems import Problem
from hepar.imaging import CtImage
from hepar.service.deadlines import DEADLINE_HEADER, Deadline
from hepar.service.images import ImageDecoder, image_facts
from hepar.service.requests import current_request_id
from hepar.service.uploads import IMAGE_OPENAPI, read_image

router = APIRouter(tags=["detection"], responses={"4XX": {"model": Problem}, "5XX": {"model": Problem}})

UPLOAD_PATHS = frozenset({"/v1/detections"})


def _detectors(request: Request) -> Detectors:
    detectors: Detectors = request.app.state.detectors
    return detectors


def _decoder(request: Request) -> ImageDecoder:
    decoder: ImageDecoder = request.app.state.decoder
    return decoder


def _settings(request: Request) -> DetectSettings:
    settings: DetectSettings = request.app.state.settings
    return settings


DetectorsDep = Annotated[Detectors, Depends(_detectors)]
DecoderDep = Annotated[ImageDecoder, Depends(_decoder)]
SettingsDep = Annotated[DetectSettings, Depends(_settings)]


@router.post("/v1/detections", summary="Find lesions in one CT image", openapi_extra=IMAGE_OPENAPI)
async def detect(request: Request, detectors: DetectorsDep, decoder: DecoderDep, settings: SettingsDep) -> Detection:
    """Boxes of lesions, fused over all detectors."""
    deadline = Deadline.from_header(request.headers.get(DEADLINE_HEADER), settings.deadline_s)
    image = await decoder.decode(await read_image(request, settings.upload_bytes_max))
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
