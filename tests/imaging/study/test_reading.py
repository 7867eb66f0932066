"""Uploads as they are sent: what is used, what is ignored, what is reported, and what is refused."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.data import get_testdata_file
from pydicom.dataset import FileDataset
from pydicom.uid import UID

from hepar.imaging.errors import ImageError, NoUsableSeries, SeveralPatients, StudyTooLarge, UnreadableStudy
from hepar.imaging.study import ArchiveLimits, StudyHeaders, load_study, read_headers, reading, source_headers
from tests.support.broken_images import hostile
from tests.support.pictures import dicom_bytes, encoded, gradient, with_elements
from tests.support.studies import as_members, ct_series, enhanced_ct, same_study, stored, stored_series, zip_bytes


def test_an_export_of_a_pacs_is_read(tmp_path: Path) -> None:
    """With a DICOMDIR, a viewer, and what operating systems add."""
    dicomdir = Path(str(get_testdata_file("DICOMDIR"))).read_bytes()
    members = {
        "DICOMDIR": dicomdir,
        "index/DIR2": dicomdir,
        "__MACOSX/._IMG": b"\0" * 200,
        "viewer/viewer.jar": zip_bytes({"a.class": b"x"}),
        "viewer/README.TXT": b"double-click",
        "preview.png": encoded(gradient()),
        "Thumbs.db": b"\xd0\xcf\x11\xe0",
        **as_members(ct_series()),
    }
    headers = read_headers(stored(tmp_path, zip_bytes(members)))
    assert (headers.kind, headers.images, headers.unreadable, headers.duplicates) == ("dicom", 40, (), 0)
    assert headers.ignored == 6
    assert headers.problem is None
    assert (headers.patient.id, headers.patient.name, headers.patient.birth_date) == ("P1", "Doe^Jane", "1950-01-02")
    assert headers.study.date == "2026-11-20"


def test_many_files_of_one_upload_are_read_like_an_archive(tmp_path: Path) -> None:
    series = ct_series()
    single = read_headers(stored_series(tmp_path, series))
    archived = read_headers(stored(tmp_path, zip_bytes(as_members(series[::-1]))))
    assert single.series == archived.series
    assert single.fingerprint == archived.fingerprint
    assert read_headers(stored_series(tmp_path, series[1:])).fingerprint != single.fingerprint


def test_broken_files_among_good_ones_are_reported(tmp_path: Path) -> None:
    contents = [dicom_bytes(dataset) for dataset in ct_series()]
    no_uid = with_elements(ct_series()[0], SOPInstanceUID=None)
    no_uid.file_meta.MediaStorageSOPInstanceUID = UID("1.2.x")
    buffer = io.BytesIO()
    no_uid.save_as(buffer)
    contents[3] = contents[3][:-100]
    contents[5] = contents[5][:300]
    contents[7] = b""
    contents[9] = b"MZ" + contents[9][2:]
    contents[11] = buffer.getvalue()
    contents[13] = contents[13][132:]
    headers = read_headers(stored(tmp_path, *contents))
    assert headers.images == 34
    assert {file.index: file.detail for file in headers.unreadable} == {
        3: "the DICOM object ends before its last pixel",
        5: "the DICOM file ends too early",
        7: "the file is empty",
        9: "the preamble of the DICOM file is neither zeros nor a TIFF header",
        11: "SOPInstanceUID is missing or not a UID",
        13: "a data set without the preamble of a DICOM file (128 bytes and DICM) is not read",
    }
    assert headers.chosen.findings == ["missing_slices"]


def test_indices_of_an_archive_are_those_of_its_directory(tmp_path: Path) -> None:
    members = {"folder/": b"", "one.dcm": b"no image", **as_members(ct_series())}
    headers = read_headers(stored(tmp_path, zip_bytes(members)))
    assert [(file.index, file.detail) for file in headers.unreadable] == [(0, "the file is not DICOM")]


def test_the_same_instance_counts_once(tmp_path: Path) -> None:
    series = ct_series()
    headers = read_headers(stored_series(tmp_path, [*series, series[4], series[5]]))
    assert (headers.images, headers.duplicates, headers.chosen.findings) == (40, 2, [])


@pytest.mark.parametrize(
    ("changes", "refused"),
    [
        ({"PatientID": "P2"}, True),
        ({"PatientBirthDate": "19600102"}, True),
        ({"PatientID": None, "PatientName": "Roe^Joan"}, True),
        ({"PatientID": None}, False),
        ({"PatientName": "DOE JANE"}, False),
        ({"PatientName": "Smith^Jane"}, False),
        ({"PatientBirthDate": "", "PatientName": ""}, False),
        ({"PatientID": " p1 "}, False),
    ],
)
def test_two_patients_are_refused(tmp_path: Path, changes: dict[str, str | None], refused: bool) -> None:
    series = ct_series()
    with_elements(series[7], **changes)
    paths = stored_series(tmp_path, series)
    if refused:
        with pytest.raises(SeveralPatients, match="more than one patient"):
            read_headers(paths)
    else:
        assert read_headers(paths).patient.id in ("P1", "p1")


def test_two_studies_of_one_patient_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableStudy, match="more than one study"):
        read_headers(stored_series(tmp_path, [*ct_series(), *ct_series()]))


@pytest.mark.parametrize(
    ("contents", "words"),
    [
        ([], "no file"),
        ([encoded(gradient())], "no uploaded file is DICOM \\(number of files: 1\\)"),
        ([zip_bytes({"a.txt": b"text", "b.txt": b"text"})], "no uploaded file is DICOM \\(number of files: 2\\)"),
        ([zip_bytes({})], "no uploaded file is DICOM \\(number of files: 0\\)"),
        ([zip_bytes({"one.dcm": b""})], "the file is empty"),
    ],
)
def test_an_upload_without_images_is_refused(tmp_path: Path, contents: list[bytes], words: str) -> None:
    with pytest.raises(UnreadableStudy, match=words):
        read_headers(stored(tmp_path, *contents))


def test_limits_of_files_and_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = stored_series(tmp_path, ct_series())
    with pytest.raises(StudyTooLarge, match="40 files; at most 30"):
        read_headers(paths, limits=ArchiveLimits(members=30))
    with pytest.raises(StudyTooLarge, match="a file has over 0 MiB"):
        read_headers(paths, limits=ArchiveLimits(member_bytes=1000))
    monkeypatch.setattr(reading, "SLICES_MAX", 39)
    with pytest.raises(StudyTooLarge, match="over 39 images"):
        read_headers(paths)


def test_late_images_need_no_series_of_their_own(tmp_path: Path) -> None:
    series = ct_series()
    late = stored_series(tmp_path, series[:2])
    with pytest.raises(NoUsableSeries, match=r"only 2 slice\(s\)"):
        read_headers(late)
    headers = read_headers(late, is_whole=False)
    assert (headers.images, [one.chosen for one in headers.series]) == (2, [False])
    with pytest.raises(NoUsableSeries):
        _ = headers.chosen


def test_a_named_series_is_chosen(tmp_path: Path) -> None:
    lung = ct_series(ConvolutionKernel="LUNG", SeriesNumber="3", SeriesDescription="Lung")
    paths = stored_series(tmp_path, same_study(ct_series(), lung))
    headers = read_headers(paths)
    assert [one.chosen for one in headers.series] == [True, False]
    for name in ("series-2", str(lung[0].SeriesInstanceUID)):
        named = read_headers(paths, name)
        assert [one.chosen for one in named.series] == [False, True]
        assert named.chosen.reason.startswith("named by the sender: axial, original, sharp kernel")
        assert named == headers.with_choice(name)
        assert load_study(paths, name)[1].series_uid == lung[0].SeriesInstanceUID
    with pytest.raises(NoUsableSeries, match="not in the study"):
        read_headers(paths, "series-9")


def test_headers_of_the_sources_come_in_the_order_of_the_slices(tmp_path: Path) -> None:
    series = ct_series()
    paths = stored(tmp_path, zip_bytes({"note": b"not DICOM", **as_members(series[::-1])}))
    _, volume = load_study(paths)
    found = list(source_headers(paths, volume.sources))
    assert [one.SOPInstanceUID for one in found] == [one.SOPInstanceUID for one in series]
    assert "PixelData" not in found[0]
    enhanced = stored_series(tmp_path, [enhanced_ct(5)])
    assert len(list(source_headers(enhanced, load_study(enhanced)[1].sources))) == 1


def odd(tag: str) -> FileDataset:
    """A valid slice with a hostile value."""
    dataset = ct_series()[0]
    values: dict[str, dict[str, object]] = {
        "long": {"SeriesDescription": "x" * 50_000, "PatientName": "A" * 60_000},
        "control": {"SeriesDescription": "a\x00\x1b[31m\x85b", "PatientID": "\x07"},
        "many": {"SliceThickness": ["1"] * 200, "AcquisitionNumber": ["1", "2"]},
        "dates": {"StudyDate": "20261399", "PatientBirthDate": "never", "AcquisitionTime": "999999"},
    }
    for name, value in values[tag].items():
        setattr(dataset, name, value)
    return dataset


@pytest.mark.parametrize("tag", ["long", "control", "many", "dates"])
def test_odd_values_of_optional_elements_do_no_harm(tmp_path: Path, tag: str) -> None:
    series = ct_series()
    dataset = odd(tag)
    for name in ("StudyInstanceUID", "SeriesInstanceUID"):
        setattr(dataset, name, getattr(series[0], name))
    if tag in ("long", "dates"):
        dataset.PatientID = series[0].PatientID
        for one in series:
            one.PatientBirthDate = ""
    headers = read_headers(stored_series(tmp_path, [dataset, *series[1:]]))
    assert headers.images == 40
    assert all(len(one.description or "") <= 128 for one in headers.series)
    assert all((one.description or "").isprintable() for one in headers.series)


def test_hostile_files_are_refused_one_by_one(tmp_path: Path) -> None:
    """Each of the corpus for single images, in one archive with a good series. A ZIP in it is refused as a whole."""
    corpus = {name: content for name, content in hostile().items() if "zip" not in name}
    members = {**as_members(ct_series()), **{f"{number}.dcm": item for number, item in enumerate(corpus.values())}}
    headers = read_headers(stored(tmp_path, zip_bytes(members, zipfile.ZIP_STORED)))
    assert headers.chosen.images == 40
    assert headers.unreadable_count + headers.ignored + headers.images - 40 == len(corpus)
    assert headers.unreadable_count > 20


CONTENT = dicom_bytes(ct_series((0.0,), shape=(32, 32))[0])


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_damaged_files_raise_nothing_but_refusals(tmp_path: Path, data: st.DataObject) -> None:
    content = bytearray(CONTENT[:1400])
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(132, len(content) - 1))] = data.draw(st.integers(0, 255))
    content += CONTENT[1400 : data.draw(st.integers(1400, len(CONTENT)))]
    try:
        headers = read_headers(stored(tmp_path, bytes(content)), is_whole=False)
    except ImageError:
        return
    assert isinstance(headers, StudyHeaders)
