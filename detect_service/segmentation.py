"""Segmentation of one image: masks of the liver and its lesions, as polygons and pictures."""

from __future__ import annotations

import asyncio
import io

from PIL import Image

from hepar.contracts.analyses import Polygon
from hepar.contracts.segmentations import Mask, Region, Segmentation
from hepar.core.deadlines import Deadline
from hepar.core.errors import HeparError, Unavailable
from hepar.core.request_context import current_request_id, stage
from hepar.ensemble.masks import LESION, LIVER, MaskRegion, OrganMasks
from hepar.imaging.annotation import base64_text
from hepar.imaging.prepared import PreparedImage
from hepar.serving.decode_workers import image_facts
from hepar.serving.model_service import ModelBackend, batch_of_one
from hepar.serving.scope_check import ScopeResult
from hepar.serving.segmenter import SegmenterOutput
from hepar.serving.slices import Slices
from hepar.web.uploads import ImageBytes


class Delineator:
    """Draws the segmenter's masks. The detectors get the same masks with each image."""

    def __init__(self, backend: ModelBackend) -> None:
        self._backend = backend

    async def segment(
        self, content: ImageBytes, deadline: Deadline, account: str, frame: int | None = None
    ) -> Segmentation:
        """account: whose image it is.

        Raises Unavailable where no segmenter answers, and what `ImageDecoder.decode` raises.
        """
        backend = self._backend
        models = backend.scope_check.models
        if models.segmenter is None:
            raise Unavailable("no segmenter is loaded at the moment")
        image = await backend.decoder.decode(content, frame, account=account, deadline=deadline, views=models.views)
        with stage("models"):
            (result,) = await backend.scope_check.check(batch_of_one(image), models, deadline)
        return await asyncio.to_thread(_segmentation, image, result)

    async def segment_slices(self, slices: Slices, deadline: Deadline) -> list[SegmenterOutput]:
        """Raises Unavailable where no segmenter is served, and what `TritonClient.infer` raises for the first slice."""
        routing = self._backend.scope_check.models.segmenter
        if routing is None:
            raise Unavailable("no segmenter is loaded at the moment")
        batch = await asyncio.to_thread(slices.prepared, routing.views)
        outputs: list[SegmenterOutput] = []
        with stage("models"):
            for output in await self._backend.scope_check.segmenter.segment(batch, routing, deadline):
                if isinstance(output, HeparError):
                    raise output
                outputs.append(output)
        return outputs


def _segmentation(image: PreparedImage, result: ScopeResult) -> Segmentation:
    if result.segmented is None or result.scope is None:
        raise Unavailable("the segmenter does not answer at the moment")
    masks = None if result.out_of_scope else result.segmented.masks
    return Segmentation(
        liver=None if masks is None else _mask(masks, LIVER, image.spacing_mm),
        lesions=None if masks is None else _mask(masks, LESION, image.spacing_mm),
        scope=result.scope,
        model=result.segmented.model,
        version=result.segmented.version,
        duration_ms=round(result.segmented.duration_ms, 1),
        missing_models=result.missing,
        image=image_facts(image),
        request_id=current_request_id(),
    )


def _mask(masks: OrganMasks, index: int, spacing_mm: tuple[float, float] | None) -> Mask:
    buffer = io.BytesIO()
    Image.fromarray(masks.picture(index)).convert("1").save(buffer, "PNG")
    return Mask(
        regions=[_region(region, spacing_mm) for region in masks.regions(index)], png=base64_text(buffer.getvalue())
    )


def _region(region: MaskRegion, spacing_mm: tuple[float, float] | None) -> Region:
    area_mm2 = None if spacing_mm is None else round(region.area_px * spacing_mm[0] * spacing_mm[1], 1)
    return Region(polygon=polygon(region), area_px=round(region.area_px, 1), area_mm2=area_mm2)


def polygon(region: MaskRegion) -> Polygon:
    """Rounded to a tenth of a pixel."""
    return [[(round(float(x), 1), round(float(y), 1)) for x, y in ring] for ring in region.rings]
