"""Results, slices, masks and progress of a finished study over HTTP."""

from __future__ import annotations

import gzip
import io
import json
import sqlite3
import threading
import time
from collections.abc import Iterator

import httpx
import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from study_service.app import create_app
from tests.support.finished_studies import GEOMETRY, LIVER_SLICES, fail_study, finish_study, hounsfield, labels
from tests.support.serving import serving
from tests.support.study_api import StudyApi, ct_files, study_api
from tests.support.tokens import TokenAuthority


@pytest.fixture(scope="module")
def api(authority: TokenAuthority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StudyApi]:
    with study_api(tmp_path_factory.mktemp("results"), authority) as running:
        yield running


@pytest.fixture(scope="module")
def path(api: StudyApi) -> str:
    study_id = api.send(ct_files())["id"]
    finish_study(api.settings, study_id)
    return f"/v1/studies/{study_id}"


def picture(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)))


def test_the_result_of_each_version_can_be_read(api: StudyApi, path: str) -> None:
    study = api.call("GET", path).json()
    assert (study["status"], study["summary"]["label"]) == ("finished", "metastasis")
    assert api.call("POST", f"{path}/analyses").json()["version"] == 2
    assert api.call("GET", f"{path}/result").json()["version"] == 1
    finish_study(api.settings, study["id"])
    assert api.call("GET", f"{path}/result").json()["version"] == 2
    assert api.call("GET", f"{path}/result", params={"version": "1"}).json()["version"] == 1
    assert api.call("GET", f"{path}/result", params={"version": "3"}).json()["type"] == "/problems/study-not-finished"


def test_what_each_model_said_about_each_slice_can_be_read(api: StudyApi, path: str) -> None:
    said = api.call("GET", f"{path}/model-answers", params={"version": "1"}).json()
    assert (said["study_id"], said["version"]) == (path.rpartition("/")[2], 1)
    (only,) = said["slices"]
    assert [box["detectors"] for box in only["boxes"]] == [["detect_yolov5"]]
    assert sum(only["votes"]["classify_unet"].values()) == pytest.approx(1)


def test_slices_are_shown_in_the_window_that_the_caller_wants(api: StudyApi, path: str) -> None:
    hu = hounsfield()[3].astype(float)
    for query, low, high in (
        ({}, 0, 250),
        ({"center": "40", "width": "400"}, -160, 240),
        ({"low": "-100", "high": "50"}, -100, 50),
    ):  # fmt: skip
        answer = api.call("GET", f"{path}/slices/3.png", params=query)
        assert answer.headers["content-type"] == "image/png"
        expected = np.clip(np.rint((hu - low) / (high - low) * 255), 0, 255)
        assert np.abs(picture(answer.content) - expected).max() <= 1
    for wrong in ({"center": "40"}, {"low": "5", "high": "5"}, {"low": "0", "high": "9", "center": "4", "width": "2"}):
        refused = api.call("GET", f"{path}/slices/3.png", params=wrong)
        assert (refused.status_code, refused.json()["errors"][0]["code"]) == (422, "invalid_window")


def test_masks_are_label_maps_as_png_and_as_nifti(api: StudyApi, path: str) -> None:
    expected = np.zeros(GEOMETRY.shape, dtype=np.uint16)
    expected[LIVER_SLICES.start : LIVER_SLICES.stop] = labels()
    for index in (0, 1, 4, 5):
        answer = api.call("GET", f"{path}/masks/{index}.png")
        assert (picture(answer.content) == expected[index]).all()
    opaque = Image.open(io.BytesIO(api.call("GET", f"{path}/masks/2.png").content)).convert("RGBA")
    alpha = np.asarray(opaque)[..., 3]
    assert ((alpha > 0) == (expected[2] > 0)).all()
    content = api.call("GET", f"{path}/masks.nii.gz").content
    volume = nib.Nifti1Image.from_bytes(gzip.decompress(content))
    assert (np.asarray(volume.dataobj).transpose(2, 1, 0) == expected).all()
    (left_posterior,) = GEOMETRY.to_patient_mm(np.array([[2.0, 5.0, 7.0]]))
    ras = np.asarray(volume.affine) @ [7.0, 5.0, 2.0, 1.0]
    assert np.allclose(ras[:3], left_posterior * [-1, -1, 1])


def test_hounsfield_units_are_read_for_one_slice_and_for_several(api: StudyApi, path: str) -> None:
    def values(name: str, **params: str) -> np.ndarray:
        content = api.call("GET", f"{path}/{name}", params=params).content
        return np.frombuffer(content, "<i2").reshape(-1, *GEOMETRY.shape[1:])

    assert (values("slices/3.hu") == hounsfield()[3:4]).all()
    assert (values("slices.hu", first="2", count="3") == hounsfield()[2:5]).all()
    assert (values("slices.hu") == hounsfield()).all()


def test_a_slice_that_is_not_there(api: StudyApi, path: str) -> None:
    for name in ("slices/6.png", "masks/6.png"):
        assert api.call("GET", f"{path}/{name}").json()["type"] == "/problems/no-such-slice"
    beyond = api.call("GET", f"{path}/slices.hu", params={"first": "6"})
    assert beyond.json()["type"] == "/problems/no-such-slice"
    assert api.call("GET", f"{path}/slices.hu", params={"first": "0", "count": "17"}).status_code == 422
    assert api.call("GET", f"{path}/slices/-1.png").status_code == 422
    assert api.call("GET", f"{path}/slices/one.png").status_code == 422


@pytest.mark.parametrize("name", ["slices/2.png", "masks/2.png", "masks.nii.gz"])
def test_what_the_caller_has_is_not_sent_again_but_is_a_recorded_read(api: StudyApi, path: str, name: str) -> None:
    first = api.call("GET", f"{path}/{name}")
    assert (first.status_code, first.headers["cache-control"]) == (200, "private, no-cache")
    again = api.call("GET", f"{path}/{name}", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    with sqlite3.connect(api.settings.database_url.partition("///")[2]) as connection:
        wanted = "SELECT event, actor, details FROM study_accesses WHERE study_id = ? ORDER BY number DESC LIMIT 2"
        entries = list(connection.execute(wanted, (path.rpartition("/")[2],)))
    event = "slice_read" if name.startswith("slices") else "mask_read"
    assert [entry[:2] for entry in entries] == [(event, "ann")] * 2
    assert json.loads(entries[0][2])["version"] >= 1


def events(text: str) -> list[dict[str, str]]:
    blocks = [dict(line.split(": ", 1) for line in block.split("\n")) for block in text.strip().split("\n\n")]
    return [block for block in blocks if "event" in block]


def test_the_events_of_an_ended_study_are_its_state_and_the_end(api: StudyApi, path: str) -> None:
    state, end = events(api.call("GET", f"{path}/events").text)
    assert (state["event"], json.loads(state["data"])["status"]) == ("study", "finished")
    assert (end["event"], json.loads(end["data"])["status"]) == ("end", "finished")
    (only,) = events(api.call("GET", f"{path}/events", headers={"last-event-id": state["id"]}).text)
    assert only["event"] == "end"
    assert api.call("HEAD", f"{path}/events").status_code == 200


def test_a_reader_follows_a_study_until_it_fails(api: StudyApi) -> None:
    study_id = api.send(ct_files())["id"]
    with serving(create_app(api.settings)) as url:
        client = httpx.Client(base_url=url, timeout=30, trust_env=False, headers=api.headers())
        with client, client.stream("GET", f"/v1/studies/{study_id}/events") as stream:
            failing = threading.Timer(1.0, fail_study, (api.settings, study_id))
            failing.start()
            seen = events("".join(stream.iter_text()))
            failing.join()
    assert [event["event"] for event in seen][-1] == "end"
    assert json.loads(seen[0]["data"])["status"] == "queued"
    last = json.loads(seen[-2]["data"])
    assert (last["status"], last["problem"]["type"]) == ("failed", "/problems/unavailable")


def test_a_stream_ends_when_the_token_expires(api: StudyApi) -> None:
    study_id = api.send(ct_files())["id"]
    short = api.authority.issuer
    token = type(short)(short.keys, short.issuer, short.audience, 2).issue("ann", "studies")
    started = time.monotonic()
    answer = api.client.get(f"/v1/studies/{study_id}/events", headers={"authorization": f"Bearer {token}"})
    assert [event["event"] for event in events(answer.text)] == ["study"]
    assert time.monotonic() - started < 20
