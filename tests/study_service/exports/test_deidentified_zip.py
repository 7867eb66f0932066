"""Exports over HTTP: what a researcher gets, and that nothing of the patient is in it or left behind."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import logging
import sqlite3
import tracemalloc
import zipfile
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from pathlib import Path

import highdicom
import numpy as np
import pydicom
import pytest

from hepar.contracts.base import RESEARCH_USE_NOTICE
from hepar.imaging.deidentification import Options
from hepar.storage.database import open_database
from study_service.accesses import accesses_of
from study_service.documents import Access, Caller
from study_service.exports.deidentified import DeidentifiedExports, ExportRequest
from study_service.exports.zip_stream import zip_stream
from study_service.migrations import MIGRATIONS
from tests.support import identified_images as identified
from tests.support.dicom_tools import errors_of_iod
from tests.support.finished_studies import GEOMETRY, LIVER_SLICES, finish_study, labels
from tests.support.pictures import with_elements
from tests.support.study_api import StudyApi, ct_files, study_api
from tests.support.tokens import TokenAuthority

_SLICES = GEOMETRY.shape[0]
_STUDY_UID = "1.2.98765432123.4"


@pytest.fixture(scope="module")
def api(authority: TokenAuthority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StudyApi]:
    with study_api(tmp_path_factory.mktemp("exports"), authority) as running:
        yield running


def identified_files() -> list[bytes]:
    """The first image has an identifying value in every listed attribute, in sequences and private ones too."""
    listed, private = identified.listed_attributes(), identified.private_attributes()
    everything = identified.image_of(listed, private, identified.nested(listed, private))
    files = []
    for number, content in enumerate(ct_files(_SLICES, study_uid=_STUDY_UID, patient=identified.NAME)):
        image = pydicom.dcmread(io.BytesIO(content))
        for element in everything if number == 0 else ():
            if element.tag not in image:
                image.add(element)
        image.PatientName = image.AccessionNumber = image.SeriesDescription = identified.NAME
        image.StudyDate, image.FrameOfReferenceUID = identified.DAY, "1.2.3.4"  # as `finish_study` stores it
        files.append(identified.file_of(image))
    return files


def finished(api: StudyApi, files: list[bytes], study_uid: str = _STUDY_UID) -> str:
    study_id: str = api.send(files)["id"]
    finish_study(api.settings, study_id, [f"{study_uid[:50]}.{number + 1}" for number in range(_SLICES)])
    return study_id


@pytest.fixture(scope="module")
def study_id(api: StudyApi) -> str:
    return finished(api, identified_files())


def export(api: StudyApi, study_id: str, **params: str) -> dict[str, bytes]:
    answer = api.call("GET", f"/v1/studies/{study_id}/deidentified.zip", params=params)
    assert answer.status_code == 200, answer.text
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def images_of(files: dict[str, bytes]) -> list[pydicom.FileDataset]:
    return [pydicom.dcmread(io.BytesIO(content)) for name, content in files.items() if name.startswith("images/")]


@pytest.mark.parametrize("dates", ["removed", "shifted"])
def test_nothing_of_the_patient_is_in_the_export(
    api: StudyApi, study_id: str, dates: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    files = export(api, study_id, dates=dates)
    times = {identified.TIME.encode()} if dates == "shifted" else set()
    searched = {"log": caplog.text.encode(), "output": "".join(capfd.readouterr()).encode()} | files
    for name, content in searched.items():
        for canary in set(identified.CANARIES) - times:
            assert canary not in content, name
    assert study_id.encode() not in b"".join(files.values())


def test_nothing_is_left_behind(api: StudyApi, study_id: str) -> None:
    export(api, study_id)
    assert list(api.settings.spool_folder.iterdir()) == []
    database = Path(api.settings.database_url.partition("///")[2])
    with sqlite3.connect(database) as connection:
        dump = "\n".join(connection.iterdump()).encode()
    assert [canary for canary in identified.CANARIES if canary in dump] in ([], [identified.DAY.encode()])


def test_a_reader_that_leaves_ends_its_export(api: StudyApi, study_id: str) -> None:
    """More often than exports run at the same time."""
    exports: DeidentifiedExports = api.client.app.state.dependencies.exports  # type: ignore[attr-defined]
    request = ExportRequest(Caller("ann"), study_id, None, Options())

    async def leave() -> list[Path]:
        pieces = exports.stream(request)
        await anext(pieces)
        during = list(api.settings.spool_folder.iterdir())
        await pieces.aclose()
        return during

    assert api.client.portal is not None
    for _ in range(3):
        (folder,) = api.client.portal.call(leave)
        assert not folder.exists()
    head = api.call("HEAD", f"/v1/studies/{study_id}/deidentified.zip")
    assert (head.status_code, head.content) == (200, b"")


def test_memory_does_not_grow_with_the_files(tmp_path: Path) -> None:
    file = tmp_path / "image"
    with file.open("wb") as opened:
        opened.truncate(48 * 1024**2)

    async def members() -> AsyncIterator[tuple[str, Path]]:
        yield "images/00001.dcm", file

    async def packed() -> int:
        return sum([len(piece) async for piece in zip_stream(members())])

    tracemalloc.start()
    try:
        assert asyncio.run(packed()) < 8 * 1024**2
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 8 * 1024**2
    assert not file.exists()


def test_images_and_results_refer_to_each_other(api: StudyApi, study_id: str, tmp_path: Path) -> None:
    files = export(api, study_id, dates="shifted")
    images = images_of(files)
    assert [list(map(float, image.ImagePositionPatient))[2] for image in images] == [5.0 * n for n in range(_SLICES)]
    instances = {str(image.SOPInstanceUID) for image in images}
    assert len(instances) == _SLICES
    segmentation = highdicom.seg.segread(io.BytesIO(files["segmentation.dcm"]))
    measurements = pydicom.dcmread(io.BytesIO(files["measurements.dcm"]))
    result = json.loads(files["result.json"])
    for instance in (segmentation, measurements):
        assert instance.StudyInstanceUID == images[0].StudyInstanceUID
        assert (instance.PatientID, str(instance.PatientName)) == (images[0].PatientID, str(images[0].PatientName))
        assert (instance.PatientIdentityRemoved, instance.StudyDate) == ("YES", images[0].StudyDate)
        assert [code.CodeValue for code in instance.DeidentificationMethodCodeSequence] == ["113100", "113107"]
    referred = {
        str(item.ReferencedSOPInstanceUID)
        for item in segmentation.ReferencedSeriesSequence[0].ReferencedInstanceSequence
    }
    assert referred < instances
    evidence = [
        str(item.ReferencedSOPInstanceUID)
        for series in measurements.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence
        for item in series.ReferencedSOPSequence
    ]
    assert instances < set(evidence) == instances | {str(segmentation.SOPInstanceUID)}
    (row,) = csv.DictReader(io.StringIO(files["lesions.csv"].decode(), newline=""))
    assert row["study_id"] == result["study_id"]
    assert row["tracking_uid"] == result["lesions"][0]["tracking_uid"] == segmentation.SegmentSequence[1].TrackingUID
    for name in ("segmentation.dcm", "measurements.dcm"):
        (tmp_path / name).write_bytes(files[name])
        assert errors_of_iod(tmp_path / name) == []


def test_the_segmentation_lies_where_the_masks_are(api: StudyApi, study_id: str) -> None:
    files = export(api, study_id)
    read = highdicom.seg.segread(io.BytesIO(files["segmentation.dcm"]))
    assert read.FrameOfReferenceUID == images_of(files)[0].FrameOfReferenceUID
    volume = read.get_volume(segment_numbers=[2], combine_segments=False)
    found = volume.map_indices_to_reference(np.argwhere(volume.array[..., 0] > 0))
    lesion = np.argwhere(labels() == 2)
    lesion[:, 0] += LIVER_SLICES.start
    expected = GEOMETRY.to_patient_mm(lesion.astype(float))
    assert sorted(found.round(3).tolist()) == sorted(expected.round(3).tolist())


def test_studies_of_a_patient_stay_together_and_their_dates_apart(api: StudyApi, study_id: str) -> None:
    """Keyed by the installation: the same in each export."""
    first, again = export(api, study_id, dates="shifted"), export(api, study_id, dates="shifted")
    assert first == again
    later_uid = "1.2.98765432123.5"
    stated = {"StudyDate": "19560613", "IssuerOfPatientID": identified.NAME}
    files = [
        identified.file_of(with_elements(pydicom.dcmread(io.BytesIO(content)), **stated))
        for content in ct_files(_SLICES, study_uid=later_uid, patient=identified.NAME)
    ]
    later = images_of(export(api, finished(api, files, later_uid), dates="shifted"))[0]
    earlier = images_of(first)[0]
    assert later.PatientID == earlier.PatientID
    assert later.StudyInstanceUID != earlier.StudyInstanceUID
    days = np.datetime64(_iso(later.StudyDate)) - np.datetime64(_iso(earlier.StudyDate))
    assert days.astype(int) == 61  # from 13 April to 13 June
    assert earlier.StudyDate != identified.DAY


def _iso(value: str) -> str:
    return f"{value[:4]}-{value[4:6]}-{value[6:]}"


def test_the_export_says_what_was_done_and_what_was_not(api: StudyApi, study_id: str) -> None:
    files = export(api, study_id, characteristics="retained")
    document = json.loads(files["export.json"])
    assert (document["dates"], document["characteristics"], document["images"]) == ("removed", "retained", _SLICES)
    assert document["patient"] == images_of(files)[0].PatientID
    assert document["study_instance_uid"] == images_of(files)[0].StudyInstanceUID
    assert document["notice"] == json.loads(files["result.json"])["notice"] == RESEARCH_USE_NOTICE
    assert "burned-in text" in document["not_checked"]


def test_corrections_have_the_ids_and_the_days_of_the_export(api: StudyApi, study_id: str) -> None:
    findings = f"/v1/studies/{study_id}/findings"
    etag = api.call("GET", findings).json()["items"][0]["etag"]
    where, body = f"{findings}/L1/corrections", {"action": "accept"}
    assert api.call("POST", where, json=body, headers={"if-match": etag}).status_code == 200
    (plain,) = api.call("GET", "/v1/corrections").text.splitlines()
    (line,) = api.call("GET", "/v1/corrections", params={"deidentified": "true"}).text.splitlines()
    record, files = json.loads(line), export(api, study_id, dates="shifted")
    result = json.loads(files["result.json"])
    assert record["study_id"] == result["study_id"] != study_id
    assert record["model_answer"]["tracking_uid"] == result["lesions"][0]["tracking_uid"]
    assert '"ann"' in plain
    assert '"ann"' not in line
    moved = datetime.fromisoformat(json.loads(plain)["at"]) - datetime.fromisoformat(record["at"])
    days = np.datetime64(_iso(identified.DAY)) - np.datetime64(_iso(images_of(files)[0].StudyDate))
    assert moved.days == days.astype(int)
    assert "reading" not in result or result["reading"] is None


@pytest.mark.parametrize(
    ("elements", "why"),
    [({"BurnedInAnnotation": "YES"}, "6 of 6 images: text is burned"), ({"ConversionType": "DI"}, "captured")],
)
def test_images_with_burned_in_text_are_refused_and_no_export_is_recorded(
    api: StudyApi, elements: dict[str, str], why: str
) -> None:
    study_uid = f"1.2.3.{len(why)}"
    files = [
        identified.file_of(with_elements(pydicom.dcmread(io.BytesIO(content)), **elements))
        for content in ct_files(_SLICES, study_uid=study_uid)
    ]
    refused = finished(api, files, study_uid)
    answer = api.call("GET", f"/v1/studies/{refused}/deidentified.zip")
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/not-deidentifiable")
    assert why in answer.json()["detail"]
    assert "Curie" not in answer.text
    assert list(api.settings.spool_folder.iterdir()) == []
    assert "exported" not in events_of(api, refused)


def test_each_export_is_recorded_with_its_options(api: StudyApi, study_id: str) -> None:
    before = len(events_of(api, study_id))
    export(api, study_id, dates="shifted")
    assert events_of(api, study_id)[before:] == ["exported"]


def test_only_those_who_see_a_study_may_export_it(api: StudyApi, study_id: str) -> None:
    path = f"/v1/studies/{study_id}/deidentified.zip"
    assert api.call("GET", path, "eve").json()["type"] == "/problems/no-such-study"
    assert api.client.get(path).status_code == 401
    unfinished = api.send(ct_files(3, patient="4713"))["id"]
    answer = api.call("GET", f"/v1/studies/{unfinished}/deidentified.zip")
    assert answer.json()["type"] == "/problems/study-not-finished"


def test_a_study_without_dicom_files_is_refused(api: StudyApi) -> None:
    study_id = api.send(ct_files(patient="4714"))["id"]
    finish_study(api.settings, study_id)
    answer = api.call("GET", f"/v1/studies/{study_id}/deidentified.zip")
    assert (answer.status_code, answer.json()["detail"]) == (409, "it was sent as NIfTI and has no DICOM images")


def events_of(api: StudyApi, study_id: str) -> list[str]:
    return [access.event for access in asyncio.run(_accesses(api, study_id))]


async def _accesses(api: StudyApi, study_id: str) -> list[Access]:
    async with open_database(api.settings.database_url, MIGRATIONS, "studies") as database:
        return await accesses_of(database, study_id)
