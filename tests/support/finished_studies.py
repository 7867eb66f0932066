"""Studies as a worker leaves them, without a worker: for tests of what is read from them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.uid import CTImageStorage

from hepar.contracts.base import example_of
from hepar.contracts.lesions import Lesion
from hepar.contracts.problems import Problem
from hepar.contracts.studies import Series, StudySummary
from hepar.contracts.study_results import StudyModelAnswers, StudyResult
from hepar.imaging.geometry import Geometry
from hepar.imaging.volume import SliceSource, VolumeGeometry
from hepar.storage.database import open_database
from hepar.storage.encryption import load_key_ring
from hepar.storage.objects import open_objects
from study_service.analysed_volume import MODEL_ANSWERS, AnalysedVolume, StoredMasks, StoredVolume
from study_service.findings.entries import add_entry
from study_service.findings.state import Entry
from study_service.findings.store import CORRECTIONS_MAX
from study_service.job_queue import Job, JobQueue, QueueRules
from study_service.migrations import MIGRATIONS
from study_service.settings import StudySettings
from study_service.slice_arrays import write_slices
from study_service.tables import StoredStudy

GEOMETRY = VolumeGeometry((6, 32, 48), (5.0, 0.8, 0.7), (-20.0, -15.0, 30.0))
LIVER_SLICES = range(1, 5)


def hounsfield(geometry: VolumeGeometry = GEOMETRY) -> NDArray[np.int16]:
    """(slices, rows, columns): each slice another slope, so that orientation and order can be seen."""
    slices, rows, columns = np.indices(geometry.shape)
    return np.asarray(columns * 5 + rows * 2 + slices * 20 - 50, dtype=np.int16)


def labels() -> NDArray[np.uint16]:
    """Of the liver's slices: the liver left, one lesion in it; larger from slice to slice."""
    found = np.zeros((len(LIVER_SLICES), *GEOMETRY.shape[1:]), dtype=np.uint16)
    for place in range(len(LIVER_SLICES)):
        found[place, 4:28, 4 : 24 + place] = 1
        found[place, 10:16, 8 : 12 + place] = 2
    return found


def lesions() -> list[Lesion]:
    """L1 is the lesion of `labels`; L2 has a box only."""
    example = Lesion.model_validate(example_of(Lesion))
    first, last = LIVER_SLICES.start, LIVER_SLICES.stop - 1
    own = {"first_slice": first, "last_slice": last, "key_slice": last, "volume_ml": 0.36}
    boxed = {"id": "L2", "measured_on": "box", "volume_ml": None, "label": "cholangiocarcinoma"}
    return [example.model_copy(update=own), example.model_copy(update=own | boxed)]


def small_study(geometry: VolumeGeometry = GEOMETRY, liver: tuple[int, int] = (1, 4)) -> dict[str, Any]:
    """For finish_study: one lesion and facts that belong to the volume of this module; the key slice is 3.

    liver: its first and last slice.
    """
    example = StudyResult.model_validate(example_of(StudyResult))
    slices, rows, columns = geometry.shape
    facts = {"slices": slices, "rows": rows, "columns": columns, "spacing_mm": geometry.spacing_mm}
    (lesion,) = example.lesions
    axis = {"slice": 3, "start_px": (8.0, 10.0), "end_px": (14.0, 16.0)}
    box = lesion.boxes[0].model_copy(update={"slice": 3, "x_min": 8.0, "y_min": 10.0, "x_max": 14.0, "y_max": 16.0})
    found = {
        "first_slice": 1,
        "last_slice": 4,
        "key_slice": 3,
        "boxes": [box],
        "long_axis": lesion.long_axis.model_copy(update=axis),
        "short_axis": lesion.short_axis.model_copy(update=axis),
    }
    return {
        "volume": example.volume.model_copy(update=facts | {"liver_slices": liver}),
        "lesions": [lesion.model_copy(update=found)],
        "key_slices": [example.key_slices[0].model_copy(update={"slice": 3})],
    }


async def _end(
    settings: StudySettings,
    study_id: str,
    *,
    failed: bool,
    sop_uids: Sequence[str] = (),
    series_uid: str | None = None,
    frame_of_reference_uid: str = "1.2.3.4",
    geometry: VolumeGeometry = GEOMETRY,
    changes: Mapping[str, object] = MappingProxyType({}),
) -> None:
    keys = load_key_ring(settings.key_file)
    async with (
        open_database(settings.database_url, MIGRATIONS, "studies") as database,
        open_objects(settings.objects_url) as objects,
    ):
        rules = QueueRules(15.0, retry_s=0.0, tries_max=3, destinations_of=settings.automatic_destinations)
        queue = JobQueue(database, keys, "test", rules)
        job = await _claimed(queue, study_id)
        if failed:
            await queue.fail(job, Problem.model_validate(example_of(Problem)))
            return
        files = await queue.files(job)
        stored = AnalysedVolume(objects, files.data_key, study_id, job.version)
        prefix = stored.prefix
        uids: Sequence[str | None] = sop_uids or [None] * geometry.shape[0]
        sources = [
            SliceSource(
                index if sop_uids else 0, None, uid, CTImageStorage, Geometry(48, 32), _position_mm(geometry, index)
            )
            for index, uid in enumerate(uids)
        ]
        slices = await write_slices(objects, files.data_key, f"{prefix}/hu", iter(hounsfield(geometry)))
        masks = await write_slices(objects, files.data_key, f"{prefix}/labels", iter(labels()), LIVER_SLICES.start)
        await stored.create(
            "volume",
            StoredVolume(
                slices=slices, geometry=geometry, sources=tuple(sources), thickness_mm=5.0,
                series=() if series_uid is None else (_series(series_uid),), unreadable=(), warnings=(),
                frame_of_reference_uid=frame_of_reference_uid if sop_uids else None,
            ),
        )  # fmt: skip
        await stored.create("masks", StoredMasks(labels=masks))
        said = StudyModelAnswers.model_validate(example_of(StudyModelAnswers))
        own: dict[str, object] = {"study_id": study_id, "version": job.version}
        await stored.create(MODEL_ANSWERS, said.model_copy(update=own))
        example = StudyResult.model_validate(example_of(StudyResult))
        if series_uid is not None:
            await queue.store_series(job, [_series(series_uid)])
        own["created_at"] = datetime.now(UTC)
        own["key_slices"] = [example.key_slices[0].model_copy(update={"slice": LIVER_SLICES[1]})]
        own["volume"] = example.volume.model_copy(update={"slices": geometry.shape[0], "liver_slices": (1, 4)})
        own |= changes
        result = example.model_copy(update=own)
        facts = {"outcome": result.outcome, "label": result.label, "lesions": len(result.lesions)}
        facts["key_slice"] = result.key_slices[0].slice
        summary = StudySummary.model_validate(example_of(StudySummary) | facts)
        await queue.finish(job, result, summary.model_dump(), result.label)


def _position_mm(geometry: VolumeGeometry, index: int) -> tuple[float, float, float]:
    x_mm, y_mm, z_mm = geometry.origin_mm
    return x_mm, y_mm, z_mm + geometry.spacing_mm[0] * index


def _series(uid: str) -> Series:
    return Series(
        id="series-2", uid=uid, number=2, description="Abdomen portal venous", modality="CT", plane="axial",
        images=GEOMETRY.shape[0], slice_spacing_mm=5.0, findings=[], chosen=True, reason="the only series",
    )  # fmt: skip


async def _claimed(queue: JobQueue, study_id: str) -> Job:
    """Other studies go back into the queue."""
    others = []
    try:
        while (job := await queue.claim()) is not None:
            if job.study_id == study_id:
                return job
            others.append(job)
        raise AssertionError(f"{study_id} is not queued")
    finally:
        for other in others:
            await queue.release(other)


def finish_study(
    settings: StudySettings,
    study_id: str,
    sop_uids: Sequence[str] = (),
    series_uid: str | None = None,
    frame_of_reference_uid: str = "1.2.3.4",
    geometry: VolumeGeometry = GEOMETRY,
    **changes: object,
) -> None:
    """In a loop of its own. sop_uids: of the images, in the order sent; none for a study without DICOM files.

    series_uid: of the only series; no series is stored where it is None.  geometry: at least as many slices as the
    liver needs.  changes: of the example of StudyResult.
    """
    asyncio.run(
        _end(
            settings,
            study_id,
            failed=False,
            sop_uids=sop_uids,
            series_uid=series_uid,
            frame_of_reference_uid=frame_of_reference_uid,
            geometry=geometry,
            changes=changes,
        )
    )


def fail_study(settings: StudySettings, study_id: str) -> None:
    asyncio.run(_end(settings, study_id, failed=True))


def begin_study(settings: StudySettings, study_id: str, slices_done: int, slices_total: int) -> None:
    """As a worker in the middle of the inference leaves it; a study that was begun before goes on."""

    async def begin() -> None:
        keys = load_key_ring(settings.key_file)
        async with open_database(settings.database_url, MIGRATIONS, "studies") as database:
            rules = QueueRules(0.0, retry_s=0.0, tries_max=3, destinations_of=settings.automatic_destinations)
            queue = JobQueue(database, keys, "test", rules)
            job = await _claimed(queue, study_id)
            await queue.progress(job, "inference", slices_done=slices_done, slices_total=slices_total)

    asyncio.run(begin())


def fill_corrections(settings: StudySettings, study_id: str) -> None:
    """The first version gets as many corrections as it may have."""

    async def fill() -> None:
        keys = load_key_ring(settings.key_file)
        async with (
            open_database(settings.database_url, MIGRATIONS, "studies") as database,
            database.writing() as session,
        ):
            study = await session.get_one(StoredStudy, study_id)
            data_key, now = keys.data_key(study.data_key), datetime.now(UTC)
            for number in range(1, CORRECTIONS_MAX + 1):
                add_entry(session, data_key, study_id, 1, Entry(number, "L1", "accept", now, "ann", "clinician"))

    asyncio.run(fill())
