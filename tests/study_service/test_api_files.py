"""Files of a finished study over HTTP."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import highdicom
import httpx2
import numpy as np
import pydicom
import pytest

from hepar.contracts.study_files import DICOM_FILES, FileName
from study_service.api.files import accepted_file
from study_service.outputs.registry import DICOM_NAMES, OUTPUTS
from tests.support.dicom_tools import errors_of_iod
from tests.support.finished_studies import GEOMETRY, LIVER_SLICES, finish_study, labels
from tests.support.study_api import StudyApi, ct_files, study_api
from tests.support.tokens import TokenAuthority

_KEY_IMAGES = {name for name in OUTPUTS if name.startswith("key-image")}
_SOP_UIDS = [f"1.2.3.{number}" for number in range(1, GEOMETRY.shape[0] + 1)]


@pytest.fixture(scope="module")
def api(authority: TokenAuthority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StudyApi]:
    with study_api(tmp_path_factory.mktemp("files"), authority) as running:
        yield running


@pytest.fixture(scope="module")
def path(api: StudyApi) -> str:
    study_id = api.send(ct_files(patient="4711"))["id"]
    finish_study(api.settings, study_id, _SOP_UIDS)
    return f"/v1/studies/{study_id}/files"


def test_the_document_lists_all_outputs() -> None:
    assert set(get_args(FileName)) == set(OUTPUTS)
    assert set(DICOM_FILES) == set(DICOM_NAMES)


@pytest.mark.parametrize("name", sorted(OUTPUTS.keys() - _KEY_IMAGES))
def test_each_file_can_be_read(api: StudyApi, path: str, name: str, tmp_path: Path) -> None:
    answer = api.call("GET", f"{path}/{name}")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].partition(";")[0] == OUTPUTS[name].media_type
    assert answer.headers["content-disposition"] == f'attachment; filename="{name}"'
    if name in DICOM_NAMES:
        (tmp_path / name).write_bytes(answer.content)
        assert errors_of_iod(tmp_path / name) == []
        instance = pydicom.dcmread(io.BytesIO(answer.content))
        assert (instance.PatientID, str(instance.PatientName)) == ("4711", "Curie^Marie")
        assert (instance.StudyDate, instance.AccessionNumber) == ("20261120", "A-1042")


def test_the_segmentation_lies_where_the_masks_are(api: StudyApi, path: str) -> None:
    read = highdicom.seg.segread(io.BytesIO(api.call("GET", f"{path}/segmentation.dcm").content))
    assert read.FrameOfReferenceUID == "1.2.3.4"
    volume = read.get_volume(segment_numbers=[2], combine_segments=False)
    found = volume.map_indices_to_reference(np.argwhere(volume.array[..., 0] > 0))
    lesion = np.argwhere(labels() == 2)
    lesion[:, 0] += LIVER_SLICES.start
    expected = GEOMETRY.to_patient_mm(lesion.astype(float))
    assert sorted(found.round(3).tolist()) == sorted(expected.round(3).tolist())


def test_what_the_caller_has_is_not_sent_again(api: StudyApi, path: str) -> None:
    first = api.call("GET", f"{path}/report.pdf")
    again = api.call("GET", f"{path}/report.pdf", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    german = api.call("GET", f"{path}/report.pdf", params={"language": "de"})
    assert german.headers["etag"] != first.headers["etag"]
    assert german.content != first.content
    assert api.call("GET", f"{path}/report.pdf").content == first.content


def test_a_reader_chooses_the_key_images(api: StudyApi, path: str) -> None:
    def read(name: str, *slices: int) -> httpx2.Response:
        return api.call("GET", f"{path}/{name}", params={"key_slices": [str(index) for index in slices]})

    assert read("report.png").content.startswith(b"\x89PNG")
    assert read("report.png", 1).content != read("report.png", 2).content
    assert read("key-image-2.png", 4, 1).content == read("key-image-1.png", 1).content
    assert read("key-image-1.png", 1).content != read("key-image-1.png", 4).content
    objects = [pydicom.dcmread(io.BytesIO(read("report.dcm", *slices).content)) for slices in ([], [1], [2])]
    assert len({str(found.SOPInstanceUID) for found in objects}) == len(objects)
    capture = pydicom.dcmread(io.BytesIO(read("key-image-1.dcm", 3).content))
    assert capture.SourceImageSequence[0].ReferencedSOPInstanceUID == _SOP_UIDS[3]
    bundles = [read("report.fhir.json", *slices).json() for slices in ([], [1])]
    reports, others = zip(*((found["entry"][0], found["entry"][1:]) for found in bundles), strict=True)
    assert others[0] == others[1], "key images are in the PDF only"
    assert reports[0]["fullUrl"] == reports[1]["fullUrl"]
    assert reports[0]["resource"]["presentedForm"][0]["data"] != reports[1]["resource"]["presentedForm"][0]["data"]
    assert read("lesions.csv", 1).headers["etag"] == read("lesions.csv").headers["etag"]
    assert read("report.pdf", 6).json()["type"] == "/problems/no-such-slice"
    assert read("report.pdf", 0, 1, 2, 3, 4, 5).status_code == 422


def test_others_and_unknown_names_get_nothing(api: StudyApi, path: str) -> None:
    assert api.call("GET", f"{path}/report.pdf", "eve").json()["type"] == "/problems/no-such-study"
    assert api.call("GET", f"{path}/passwd").status_code in (404, 422)
    assert api.call("GET", f"{path}/report.pdf", params={"version": "9"}).json()["type"] == (
        "/problems/study-not-finished"
    )


def test_a_study_without_dicom_files_has_no_dicom_objects(api: StudyApi) -> None:
    study_id = api.send(ct_files(patient="4712"))["id"]
    finish_study(api.settings, study_id)
    for name in ("segmentation.dcm", "report.dcm"):
        answer = api.call("GET", f"/v1/studies/{study_id}/files/{name}")
        assert (answer.status_code, answer.json()["detail"]) == (404, "the study has no such file")
    assert api.call("GET", f"/v1/studies/{study_id}/files/report.pdf").content.startswith(b"%PDF-")


@pytest.mark.parametrize(
    ("accept", "name"),
    [
        (None, None),
        ("", None),
        ("*/*", None),
        ("application/json", None),
        ("application/pdf", "report.pdf"),
        ("Application/PDF;Q=0.5", "report.pdf"),
        ("application/fhir+json, application/json;q=0.9", "report.fhir.json"),
        ("application/json;q=0.2, text/csv;q=0.3", "lesions.csv"),
        ("text/csv;q=0, */*", None),
        ("image/webp, application/pdf", "report.pdf"),
        ("text/html", None),
        ("application/pdf, text/csv, application/json", None),
        ("application/pdf;q=nonsense", "report.pdf"),
        (",;q=1,,", None),
    ],
)
def test_the_accept_header_names_a_file(accept: str | None, name: str | None) -> None:
    assert accepted_file(accept) == name


def test_a_result_is_read_in_the_accepted_type(api: StudyApi, path: str) -> None:
    result = path.replace("/files", "/result")
    plain = api.call("GET", result)
    assert plain.json()["version"] == 1
    pdf = api.call("GET", result, headers={"accept": "application/pdf"})
    assert (pdf.headers["content-type"], pdf.headers["vary"]) == ("application/pdf", "Accept")
    assert pdf.content == api.call("GET", f"{path}/report.pdf").content
    table = api.call("GET", result, headers={"accept": "text/csv"})
    assert table.text.startswith("study_id,")
