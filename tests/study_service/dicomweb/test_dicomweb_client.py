"""The Python package `dicomweb-client`, which 3D Slicer uses, reads images and results from us."""

from __future__ import annotations

import io
from urllib.parse import urlsplit

from dicomweb_client.api import DICOMwebClient

from tests.support.dicomweb import SERIES_UID, SLICES, STUDY_UID, DicomWebServer, dataset


def test_a_client_finds_and_reads_a_study(web: DicomWebServer, files: list[bytes]) -> None:
    client = DICOMwebClient(f"{web.url}/dicom-web", headers=web.headers())
    [study] = client.search_for_studies(search_filters={"AccessionNumber": "A-1042", "PatientID": "4711"})
    uid = study["0020000D"]["Value"][0]
    assert uid == STUDY_UID
    assert client.search_for_studies(search_filters={"PatientID": "nobody"}) == []
    assert len(client.search_for_series(uid)) == 5
    [segmentation] = client.search_for_instances(uid, search_filters={"Modality": "SEG"})
    instances = client.retrieve_study(uid)
    assert [item.Modality for item in instances] == ["CT"] * SLICES + ["SEG", "SR", "DOC", "OT"]
    series_uid, instance_uid = (segmentation[tag]["Value"][0] for tag in ("0020000E", "00080018"))
    assert client.retrieve_instance(uid, series_uid, instance_uid) == instances[SLICES]
    first = dataset(files[0])
    place = (uid, SERIES_UID, first.SOPInstanceUID)
    assert client.retrieve_instance_frames(*place, [1]) == [first.PixelData]
    assert client.retrieve_instance_rendered(*place, media_types=("image/png",)).startswith(b"\x89PNG")
    metadata = client.retrieve_instance_metadata(*place)
    uri = urlsplit(metadata["7FE00010"]["BulkDataURI"])  # the client's Host header lacks the port
    bulk = client.retrieve_bulkdata(uri._replace(netloc=urlsplit(web.url).netloc).geturl())
    assert bulk == [first.PixelData]
    assert len(client.retrieve_series_metadata(uid, SERIES_UID)) == SLICES


def test_3d_slicer_imports_every_series(web: DicomWebServer, files: list[bytes]) -> None:
    """The calls of `importFromDICOMWeb` in Slicer's DICOMUtils.py, with both ways of retrieving instances."""
    client = DICOMwebClient(f"{web.url}/dicom-web", headers=web.headers())
    imported: list[bytes] = []
    series = [found["0020000E"]["Value"][0] for found in client.search_for_series(study_instance_uid=STUDY_UID)]
    for uid in series:
        headers = client.retrieve_series_metadata(study_instance_uid=STUDY_UID, series_instance_uid=uid)
        uids = [header["00080018"]["Value"][0] for header in headers]
        instances = list(client.iter_series(study_instance_uid=STUDY_UID, series_instance_uid=uid))
        assert [instance.SOPInstanceUID for instance in instances] == uids
        assert instances == [client.retrieve_instance(STUDY_UID, uid, instance_uid) for instance_uid in uids]
        for instance in instances:
            instance.save_as(buffer := io.BytesIO())
            imported.append(buffer.getvalue())
    read = [dataset(content) for content in imported]
    assert [item.Modality for item in read] == ["CT"] * SLICES + ["SEG", "SR", "DOC", "OT"]
    assert [item.PixelData for item in read[:SLICES]] == [dataset(content).PixelData for content in files]
