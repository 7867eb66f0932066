"""WADO-RS over HTTP: objects, metadata, frames, bulk data and pictures, in the forms that a caller accepts."""

from __future__ import annotations

import io
from typing import Any

import highdicom
import httpx
import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom import dcmwrite
from pydicom.dataset import Dataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from tests.support.dicomweb import (
    SERIES_UID,
    SLICES,
    STUDY_UID,
    DicomWebServer,
    analysed_study,
    dataset,
    parts_of,
    related,
    values,
)
from tests.support.finished_studies import LIVER_SLICES, labels
from tests.support.study_api import ct_files

DICOM = 'multipart/related; type="application/dicom"'
OCTETS = 'multipart/related; type="application/octet-stream"'
IMAGE = f"/{STUDY_UID}/series/{SERIES_UID}/instances/{STUDY_UID}.2"
COMPRESSED_UID = "1.2.826.0.1.3680043.8.498.79"
SYNTAXES = (
    ExplicitVRLittleEndian, ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian, JPEG2000Lossless, JPEGLSLossless,
    RLELossless, ExplicitVRBigEndian,
)  # fmt: skip


def object_path(web: DicomWebServer, modality: str) -> str:
    """Of the only object of a modality."""
    [found] = web.get(f"/{STUDY_UID}/instances", Modality=modality).json()
    return str(values(found, "00081190")[0]).partition("/dicom-web/studies")[2]


@pytest.mark.parametrize("accept", [None, "*/*", DICOM, f"{DICOM}; transfer-syntax=*", f"text/html, {DICOM};q=0.1"])
def test_a_study_is_its_images_and_the_objects_of_its_result(
    web: DicomWebServer, files: list[bytes], accept: str | None
) -> None:
    answer = web.get(f"/{STUDY_UID}", accept=accept)
    assert answer.status_code == 200, answer.text
    found = parts_of(answer)
    assert [content for _, content in found[:SLICES]] == files
    assert found[0][0] == f"application/dicom; transfer-syntax={ExplicitVRLittleEndian}"
    assert [dataset(content).Modality for _, content in found[SLICES:]] == ["SEG", "SR", "DOC", "OT"]


def test_a_series_and_an_instance(web: DicomWebServer, files: list[bytes]) -> None:
    assert [content for _, content in parts_of(web.get(f"/{STUDY_UID}/series/{SERIES_UID}"))] == files
    assert [content for _, content in parts_of(web.get(IMAGE))] == [files[1]]
    alone = web.get(IMAGE, accept="application/dicom")
    assert alone.headers["content-type"] == f"application/dicom; transfer-syntax={ExplicitVRLittleEndian}"
    assert alone.content == files[1]
    by_query = web.get(f"{IMAGE}?accept=application/dicom", accept="text/html")
    assert by_query.content == files[1]


@pytest.mark.parametrize(
    ("path", "accept"),
    [
        (IMAGE, "application/zip"),
        (IMAGE, f"{DICOM}; transfer-syntax=1.2.840.10008.1.2.4.90"),
        (f"/{STUDY_UID}", "application/dicom"),
        (f"{IMAGE}/frames/1", 'multipart/related; type="image/jp2"'),
        (f"{IMAGE}/rendered", "image/gif"),
        (f"{IMAGE}/metadata", "text/html"),
        (f"{IMAGE}/bulkdata/7FE00010", "image/jpeg"),
        (IMAGE, "*/*;q=0"),
    ],
)
def test_what_cannot_be_sent_is_not_acceptable(web: DicomWebServer, files: list[bytes], path: str, accept: str) -> None:
    answer = web.get(path, accept=accept)
    assert (answer.status_code, answer.json()["type"]) == (406, "/problems/not-acceptable"), files[0][:0]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"/{STUDY_UID}/series/1.2.3", 404),
        (f"/{STUDY_UID}/series/{SERIES_UID}/instances/1.2.3", 404),
        (f"/{STUDY_UID}/series/{SERIES_UID}/instances/1.2.3/metadata", 404),
        ("/not-a-uid/metadata", 404),
        (f"{IMAGE}/frames/2", 404),
        (f"{IMAGE}/frames/0", 400),
        (f"{IMAGE}/frames/1,x", 400),
        (f"{IMAGE}/bulkdata/00420011", 404),
        (f"{IMAGE}/bulkdata/xyz", 404),
        (f"{IMAGE}/rendered?viewport=10,10", 400),
        (f"{IMAGE}/rendered?window=1", 400),
        (f"{IMAGE}/rendered?window=nan,1", 400),
    ],
)
@pytest.mark.usefixtures("files")
def test_what_is_not_there_is_refused(web: DicomWebServer, path: str, status: int) -> None:
    answer = web.get(path)
    assert answer.status_code == status, answer.text


@pytest.mark.usefixtures("files")
def test_metadata_is_what_the_file_states_and_leads_to_its_bulk_data(web: DicomWebServer) -> None:
    whole = web.get(f"/{STUDY_UID}/metadata").json()
    assert len(whole) == SLICES + 4
    assert whole[:SLICES] == web.get(f"/{STUDY_UID}/series/{SERIES_UID}/metadata").json()
    [second] = web.get(f"{IMAGE}/metadata", accept="application/json").json()
    assert whole[1] == second
    stated = dataset(parts_of(web.get(IMAGE))[0][1])
    read = Dataset.from_json(second, bulk_data_uri_handler=lambda _: stated.PixelData)
    assert read == Dataset({element.tag: element for element in stated})
    uri = second["7FE00010"]["BulkDataURI"]
    assert uri.startswith(f"{web.url}/dicom-web/studies{IMAGE}")
    [(_, pixels)] = parts_of(web.get(uri.partition("/studies")[2]))
    assert pixels == stated.PixelData


def test_viewers_find_the_images_of_a_segmentation(web: DicomWebServer) -> None:
    """OHIF shows a black window where series or frame of reference are others."""
    by_modality: dict[str, list[dict[str, Any]]] = {}
    for item in web.get(f"/{STUDY_UID}/metadata", accept="application/dicom+json").json():
        by_modality.setdefault(values(item, "00080060")[0], []).append(item)
    (masks,) = by_modality["SEG"]
    images = by_modality["CT"]
    (series,) = values(masks, "00081115")
    assert {values(image, "0020000E")[0] for image in images} == set(values(series, "0020000E"))
    assert {values(image, "00200052")[0] for image in images} == set(values(masks, "00200052"))
    referred = {values(item, "00081155")[0] for item in values(series, "0008114A")}
    assert referred <= {values(image, "00080018")[0] for image in images}
    for report in by_modality["SR"]:
        (study,) = values(report, "0040A375")
        evidence = {values(item, "0020000E")[0] for item in values(study, "00081115")}
        assert evidence == {*values(series, "0020000E"), *values(masks, "0020000E")}


def test_frames_and_pictures_of_an_image(web: DicomWebServer, files: list[bytes]) -> None:
    pixels = dataset(files[1]).PixelData
    for accept in (None, OCTETS, f"{OCTETS}; transfer-syntax=*"):
        answer = web.get(f"{IMAGE}/frames/1", accept=accept)
        assert parts_of(answer) == [(f"application/octet-stream; transfer-syntax={ExplicitVRLittleEndian}", pixels)]
    grey = Image.open(io.BytesIO(web.get(f"{IMAGE}/rendered", accept="image/png", window="0,200,LINEAR").content))
    assert (grey.size, grey.mode) == ((64, 64), "L")
    hu = np.linspace(-100, 200, 64).astype(int) + 1
    assert np.abs(np.asarray(grey)[0].astype(float) - np.clip((hu + 100) / 200, 0, 1) * 255).max() <= 1
    plain = web.get(f"{IMAGE}/frames/1/rendered")
    assert plain.headers["content-type"] == "image/jpeg"


@pytest.mark.usefixtures("files")
def test_the_objects_of_a_result_are_read_back(web: DicomWebServer) -> None:
    [(_, content)] = parts_of(web.get(object_path(web, "SEG")))
    segmentation = highdicom.seg.segread(io.BytesIO(content))
    lesion = segmentation.get_pixels_by_source_instance(
        [f"{STUDY_UID}.{index + 1}" for index in range(SLICES)], segment_numbers=[2],
        assert_missing_frames_are_empty=True,
    )  # fmt: skip
    expected = np.zeros(lesion.shape[:3], dtype=bool)
    expected[LIVER_SLICES.start : LIVER_SLICES.stop] = labels() == 2
    assert np.array_equal(lesion[..., 0] > 0, expected)
    frames = parts_of(web.get(f"{object_path(web, 'SEG')}/frames/1,2"))
    stored = pydicom.dcmread(io.BytesIO(content)).pixel_array
    for (_, frame), wanted in zip(frames, stored, strict=False):
        bits = np.unpackbits(np.frombuffer(frame, np.uint8), bitorder="little")[: wanted.size]
        assert np.array_equal(bits.reshape(wanted.shape), wanted)
    report = object_path(web, "DOC")
    for accept, path in (("application/pdf", f"{report}/rendered"), ("application/pdf", f"{report}/bulkdata/00420011")):
        pdf = web.get(path, accept=accept)
        assert (pdf.headers["content-type"], pdf.content[:5]) == ("application/pdf", b"%PDF-")
    picture = Image.open(io.BytesIO(web.get(f"{object_path(web, 'OT')}/rendered").content))
    assert (picture.format, picture.mode, max(picture.size)) == ("JPEG", "RGB", 768)
    [(_, measurements)] = parts_of(web.get(object_path(web, "SR")))
    assert dataset(measurements).SOPClassUID == "1.2.840.10008.5.1.4.1.1.88.34"


@pytest.mark.usefixtures("files")
def test_an_object_of_a_result_never_changes(web: DicomWebServer) -> None:
    first = parts_of(web.get(object_path(web, "SEG")))
    assert parts_of(web.get(object_path(web, "SEG"))) == first
    files = [content for _, content in parts_of(web.get(f"/{STUDY_UID}"))]
    assert len({dataset(content).SOPInstanceUID for content in files}) == SLICES + 4


@pytest.fixture(scope="module")
def compressed(web: DicomWebServer) -> dict[str, bytes]:
    """The pixels by instance, of a study with a file in each transfer syntax."""
    sent: list[bytes] = []
    pixels: dict[str, bytes] = {}
    for content, syntax in zip(ct_files(len(SYNTAXES), study_uid=COMPRESSED_UID), SYNTAXES, strict=True):
        file = dataset(content)
        pixels[str(file.SOPInstanceUID)] = file.PixelData
        if syntax == ExplicitVRBigEndian:
            file.PixelData = np.frombuffer(file.PixelData, "<u2").astype(">u2").tobytes()
        elif syntax.is_encapsulated:
            file.compress(syntax, generate_instance_uid=False)
        file.file_meta.TransferSyntaxUID = syntax
        buffer = io.BytesIO()
        plain = Dataset({element.tag: element for element in file})
        plain.file_meta = file.file_meta
        dcmwrite(
            buffer, plain, implicit_vr=syntax.is_implicit_VR, little_endian=syntax.is_little_endian,
            enforce_file_format=True,
        )  # fmt: skip
        sent.append(buffer.getvalue())
    answer = web.stow(sent, "hal")
    assert answer.status_code == 200, answer.text
    return pixels


def test_every_transfer_syntax_is_sent_as_stored_and_uncompressed(
    web: DicomWebServer, compressed: dict[str, bytes]
) -> None:
    stored = parts_of(web.get(f"/{COMPRESSED_UID}", "hal", accept=f"{DICOM}; transfer-syntax=*"))
    assert [dataset(content).file_meta.TransferSyntaxUID for _, content in stored] == list(SYNTAXES)
    assert [kind.partition("=")[2] for kind, _ in stored] == list(SYNTAXES)
    series = f"/{COMPRESSED_UID}/series/{COMPRESSED_UID}.0/instances"
    assert web.get(f"/{COMPRESSED_UID}", "hal", accept=DICOM).status_code == 406  # one is big-endian
    for uid in list(compressed)[:-1]:
        [(_, content)] = parts_of(web.get(f"{series}/{uid}", "hal", accept=DICOM))
        file = dataset(content)
        assert file.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
        assert file.PixelData == compressed[uid]
    for uid, pixels in compressed.items():
        assert parts_of(web.get(f"{series}/{uid}/frames/1", "hal"))[0][1] == pixels
        assert parts_of(web.get(f"{series}/{uid}/bulkdata/7FE00010", "hal"))[0][1] == pixels
    jpeg = web.get(f"{series}/{COMPRESSED_UID}.4/frames/1", "hal", accept='multipart/related; type="image/jp2"')
    [(kind, frame)] = parts_of(jpeg)
    assert kind == f"image/jp2; transfer-syntax={JPEG2000Lossless}"
    assert frame.startswith(b"\xff\x4f\xff\x51") or frame[4:8] == b"jP  "


def test_a_preamble_is_never_passed_on(web: DicomWebServer) -> None:
    uid = "1.2.826.0.1.3680043.8.498.80"
    program = [b"II*\0" + b"X" * 124 + content[128:] for content in ct_files(6, study_uid=uid)]
    body, _ = related(program)
    assert b"XXXX" in body
    assert web.stow(program, "hal").status_code == 200
    assert all(content[:128] == bytes(128) for _, content in parts_of(web.get(f"/{uid}", "hal")))


def test_corrections_of_readers_make_other_reports(web: DicomWebServer) -> None:
    uid = "1.2.826.0.1.3680043.8.498.81"
    analysed_study(web, "kay", uid)

    def objects() -> dict[str, str]:
        found = web.get(f"/{uid}/instances", "kay").json()[SLICES:]
        return {values(item, "00080060")[0]: values(item, "00080018")[0] for item in found}

    before = objects()
    reader = {"authorization": f"Bearer {web.authority.issuer.issue('kay', 'analyses studies account', session='s1')}"}
    with httpx.Client(base_url=web.url, headers=reader, timeout=60, trust_env=False) as client:
        [study] = client.get("/v1/studies").json()["items"]
        path = f"/v1/studies/{study['id']}/findings"
        [first, *_] = client.get(path).json()["items"]
        corrections = f"{path}/{first['id']}/corrections"
        answer = client.post(corrections, json={"action": "accept"}, headers={"if-match": first["etag"]})
        assert answer.status_code == 200, answer.text
    after = objects()
    assert {kind for kind in before if after[kind] != before[kind]} == {"SR", "DOC"}
