"""The analysis of one study in steps. Each step can be repeated: what it stored before is used, never overwritten."""

from __future__ import annotations

import asyncio
import shutil
import statistics
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from hepar.contracts.study_results import ModelVersion, StudyModelAnswers
from hepar.imaging.input_frame import bodies_of_volume
from hepar.imaging.study import StudyHeaders
from hepar.storage.objects import ObjectStore
from study_service.analysed_volume import MODEL_ANSWERS, AnalysedVolume, StoredLiver, StoredMasks, StoredVolume
from study_service.documents import StudyFiles
from study_service.job_queue import Job, JobQueue
from study_service.lesion_step import LesionInput, find_lesions, label_slices
from study_service.result_document import result_of, summary_of
from study_service.slice_answers import SliceAnswers
from study_service.slice_arrays import write_slices
from study_service.slice_models import SliceModels
from study_service.unpacked_uploads import unpacked
from study_service.volume_inference import STEP_SLICES, MixedModels, VolumeInference
from study_service.volume_reader import VolumeReader

PIPELINE_VERSION = "4"
"""Grows with every change of the steps or of what they store: a study in progress then begins again."""
_ANSWERS = "answers"
_Document = TypeVar("_Document", bound=BaseModel)


class Pipeline(BaseModel):
    """Which steps stored what is there."""

    version: str


@dataclass(frozen=True)
class AnalysisTools:
    """What all analyses of a worker share.

    folder: for decrypted uploads while they are read.  call_s: for the slices of one step.
    """

    queue: JobQueue
    objects: ObjectStore
    reader: VolumeReader
    models: SliceModels
    folder: Path
    call_s: float


class StudyAnalysis:
    """The steps of one study: load, liver, slices, finish. All raise JobLost where the study is no longer ours.

    Call `aclose` at the end.
    """

    def __init__(self, tools: AnalysisTools, job: Job, files: StudyFiles) -> None:
        self._tools = tools
        self._job = job
        self._files = files
        self._stored = AnalysedVolume(tools.objects, files.data_key, job.study_id, job.version)
        self._documents: dict[str, BaseModel] = {}
        self._began: tuple[float, int] | None = None
        self._inference = VolumeInference(tools.models, self._stored, tools.call_s)

    async def aclose(self) -> None:
        await self._inference.aclose()

    async def load(self) -> int:
        """Reads the upload in a process with limits, and stores the slices; returns their number.

        Raises UnreadableStudyUpload, UnsafeArchiveUpload, TooLarge, DeadlineExceeded, Unavailable, InsufficientStorage.
        """
        await self._progress("loading")
        await self._begin_again_after_upgrade()
        if await self._stored.find("volume", StoredVolume) is None:
            folder = Path(await asyncio.to_thread(tempfile.mkdtemp, dir=self._tools.folder))
            try:
                await self._load(folder)
            finally:
                await asyncio.to_thread(shutil.rmtree, folder)
        volume = await self._volume()
        await self._tools.queue.store_series(self._job, list(volume.series))
        return volume.slices.count

    async def liver(self) -> list[int] | None:
        """First and last slice of the liver; None where there is none. Raises what SliceModels does."""
        await self._progress("liver")
        if await self._stored.find("liver", StoredLiver) is None:
            await self._find_liver(await self._volume())
        extent = (await self._liver()).extent
        if extent is None:
            return None
        await self._ask_ahead(extent[0])
        await self._progress("inference", slices_total=extent[1] - extent[0] + 1)
        return list(extent)

    async def slices(self, start: int, stop: int) -> int:
        """Stores the answers of classifiers and detectors about slices of the liver. Raises what SliceModels does."""
        volume, liver = await self._volume(), await self._liver()
        first, last = liver.extent or (0, -1)
        if await self._answers_of(start) is None:
            self._began = self._began or (time.monotonic(), start)
            if stop <= last:
                await self._ask_ahead(stop)
            await self._create(f"{_ANSWERS}/{start:05d}", await self._inference.answers(volume, liver, start))
        done = stop - first
        await self._progress(
            "inference", slices_done=done, slices_total=last - first + 1, time_left_s=self._left_s(stop, last)
        )
        return done

    async def finish(self) -> None:
        """Links lesions, stores the masks and the result, and ends the job."""
        await self._progress("lesions")
        volume, liver = await self._volume(), await self._liver()
        answers = await self._answers(liver)
        organ = None
        if liver.extent is not None:
            organ = (await self._inference.masks(liver, liver.extent[0], liver.extent[1] + 1)).shares
        given = LesionInput(
            volume, liver, organ, [part.classifications for part in answers], [part.detections for part in answers]
        )
        analysis = await asyncio.to_thread(find_lesions, given, self._job.study_id, self._job.version)
        await self._store_masks(label_slices(given, analysis), liver)
        said = StudyModelAnswers(study_id=self._job.study_id, version=self._job.version, slices=given.model_answers())
        await self._stored.create(MODEL_ANSWERS, said)
        models, missing = _models(liver.segmenter, answers)
        result = result_of(self._job, given, analysis, models, missing)
        await self._tools.queue.finish(self._job, result, summary_of(result).model_dump(), result.label)
        await self._delete_intermediate(volume, liver)

    async def _load(self, folder: Path) -> None:
        paths = await unpacked(self._tools.objects, self._files, folder)
        headers, volume = await self._tools.reader.volume(paths, self._files.series)
        bodies = await asyncio.to_thread(bodies_of_volume, volume.hu, volume.geometry.spacing_mm[0])
        self._inference.begin(volume, bodies)
        key = f"{self._stored.prefix}/hounsfield-{uuid.uuid4().hex}"
        slices = await write_slices(self._tools.objects, self._files.data_key, key, iter(volume.hu))
        stored = StoredVolume(
            slices=slices,
            geometry=volume.geometry,
            sources=volume.sources,
            thickness_mm=_thickness_mm(headers),
            series=headers.series,
            unreadable=(*headers.unreadable, *volume.unreadable),
            warnings=volume.warnings,
            frame_of_reference_uid=volume.frame_of_reference_uid,
            bodies=bodies,
        )
        if not await self._create("volume", stored):
            await self._tools.objects.delete(key)

    async def _find_liver(self, volume: StoredVolume) -> None:
        liver = await self._inference.found_liver(volume)
        extent, masks, shares = liver.extent, liver.masks, None
        if extent is not None:
            rows = (item.reshape(-1, item.shape[-1]) for item in masks.shares)
            key = f"{self._stored.prefix}/shares-{uuid.uuid4().hex}"
            shares = await write_slices(self._tools.objects, self._files.data_key, key, rows, extent[0])
        found = StoredLiver(
            extent=extent,
            segmenter=masks.segmenter,
            lesion_threshold=masks.lesion_threshold,
            shares=shares,
            frame=masks.frame,
        )
        if await self._create("liver", found):
            self._inference.keep(masks)

    async def _ask_ahead(self, start: int) -> None:
        """While the step before stores its answers, the services work on the next ones."""
        if await self._answers_of(start) is None:
            self._inference.ask(await self._volume(), await self._liver(), start)

    async def _answers_of(self, start: int) -> SliceAnswers | None:
        return await self._stored.find(f"{_ANSWERS}/{start:05d}", SliceAnswers)

    async def _answers(self, liver: StoredLiver) -> list[SliceAnswers]:
        """Of all slices of the liver. Raises MixedModels, after which the models are asked again."""
        if liver.extent is None:
            return []
        starts = range(liver.extent[0], liver.extent[1] + 1, STEP_SLICES)
        answers = [await self._once(f"{_ANSWERS}/{start:05d}", SliceAnswers) for start in starts]
        named = {(model.model, model.version) for part in answers for model in _models_in(part)}
        if len({model for model, _ in named}) < len(named):
            await self._tools.objects.delete_prefix(f"{self._stored.prefix}/{_ANSWERS}")
            await self._tools.objects.delete(f"{self._stored.prefix}/liver")
            raise MixedModels("models were replaced in the middle of a study")
        return answers

    async def _store_masks(self, labels: Iterator[NDArray[np.uint16]], liver: StoredLiver) -> None:
        if await self._stored.find("masks", StoredMasks) is not None:
            return
        stored = None
        if liver.extent is not None:
            key = f"{self._stored.prefix}/labels-{uuid.uuid4().hex}"
            stored = await write_slices(self._tools.objects, self._files.data_key, key, labels, liver.extent[0])
        await self._stored.create("masks", StoredMasks(labels=stored))

    async def _delete_intermediate(self, volume: StoredVolume, liver: StoredLiver) -> None:
        """What only the analysis needed, and what a worker that died left; the study is finished already."""
        masks = await self._stored.document("masks", StoredMasks)
        arrays = [array.key for array in (volume.slices, liver.shares, masks.labels) if array is not None]
        names = ("pipeline", "volume", "liver", "masks", MODEL_ANSWERS)
        kept = {f"{self._stored.prefix}/{name}" for name in names} | set(arrays)
        for key in await self._tools.objects.keys(self._stored.prefix):
            if key not in kept:
                await self._tools.objects.delete(key)

    async def _begin_again_after_upgrade(self) -> None:
        """What another version of the pipeline stored of this version of the study is removed."""
        known = await self._stored.find("pipeline", Pipeline)
        if known is not None and known.version != PIPELINE_VERSION:
            await self._tools.objects.delete_prefix(self._stored.prefix)
            self._documents.clear()
        await self._stored.create("pipeline", Pipeline(version=PIPELINE_VERSION))

    async def _volume(self) -> StoredVolume:
        return await self._once("volume", StoredVolume)

    async def _liver(self) -> StoredLiver:
        return await self._once("liver", StoredLiver)

    async def _create(self, name: str, document: BaseModel) -> bool:
        """False where there is one already, which stays, and is read."""
        is_new = await self._stored.create(name, document)
        if is_new:
            self._documents[name] = document
        return is_new

    async def _once(self, name: str, kind: type[_Document]) -> _Document:
        """Read from the storage once: a job that another worker began finds what that one stored."""
        if name not in self._documents:
            self._documents[name] = await self._stored.document(name, kind)
        found = self._documents[name]
        assert isinstance(found, kind)  # noqa: S101  each name has one kind
        return found

    async def _progress(self, stage: str, **values: float | None) -> None:
        await self._tools.queue.progress(self._job, stage, **values)

    def _left_s(self, stop: int, last: int) -> float | None:
        if self._began is None:
            return None
        began_at, began = self._began
        return round((time.monotonic() - began_at) / (stop - began) * (last + 1 - stop), 1)


def _thickness_mm(headers: StudyHeaders) -> float | None:
    """As most files of the chosen series state it."""
    slices = [item for stack in headers.stacks if stack.id == headers.chosen.id for item in stack.slices]
    stated = [item.frame.thickness_mm for item in slices if item.frame.thickness_mm is not None]
    return statistics.mode(stated) if stated else None


def _models_in(part: SliceAnswers) -> list[ModelVersion]:
    return [*part.classifications.models, *part.detections.models]


def _models(segmenter: ModelVersion, answers: list[SliceAnswers]) -> tuple[list[ModelVersion], list[str]]:
    """Those that took part, and those that should have."""
    versions = {model.model: model.version for part in answers for model in _models_in(part)}
    versions[segmenter.model] = segmenter.version
    missing = {
        name for part in answers for name in (*part.classifications.missing_models, *part.detections.missing_models)
    }
    return [ModelVersion(model=name, version=version) for name, version in sorted(versions.items())], sorted(missing)
