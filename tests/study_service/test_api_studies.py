"""Sending, listing, reading and deleting studies over HTTP: what callers get, and what is stored."""

from __future__ import annotations

import gzip
import resource
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from hepar.contracts.problems import Problem
from hepar.contracts.studies import Study
from tests.support.study_api import ZIP, StudyApi, ct_files, parts, study_api, zipped
from tests.support.tokens import TokenAuthority

NOBODY = "0b0e7f0a-5d4e-4c8a-9a5e-0d7f6b3f7c11"


@pytest.fixture(scope="module")
def api(authority: TokenAuthority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StudyApi]:
    with study_api(tmp_path_factory.mktemp("studies"), authority) as running:
        yield running


def nifti() -> bytes:
    """6 slices of air and soft tissue, 5 mm apart."""
    values = np.full((32, 32, 6), -1000, dtype=np.int16)
    values[8:24, 8:24] = np.random.default_rng(5).integers(20, 90, (16, 16, 6))
    image = nib.Nifti1Image(values, np.diag([-0.8, -0.8, 5.0, 1.0]))
    content: bytes = image.to_bytes()
    return content


def accesses(api: StudyApi, study_id: str) -> list[tuple[str, str]]:
    with sqlite3.connect(api.settings.database_url.partition("///")[2]) as connection:
        wanted = "SELECT event, actor FROM study_accesses WHERE study_id = ? ORDER BY number"
        return list(connection.execute(wanted, (study_id,)))


def test_a_zip_is_accepted_with_the_address_of_its_study(api: StudyApi) -> None:
    content = zipped(ct_files(accession="A-7"))
    query = {"name": "Follow-up 3", "priority": "urgent"}
    answer = api.call("POST", "/v1/studies", params=query, content=content, headers=ZIP)
    assert answer.status_code == 202, answer.text
    study = Study.model_validate_json(answer.content)
    assert answer.headers["location"] == f"/v1/studies/{study.id}"
    assert (study.status, study.priority, study.version, study.images) == ("queued", "urgent", 1, 6)
    assert (study.name, study.accession_number, study.study_date) == ("Follow-up 3", "A-7", "2026-11-20")
    assert study.size_bytes == len(content)
    assert Study.model_validate_json(api.call("GET", answer.headers["location"]).content) == study


def test_many_files_in_one_body_are_one_study(api: StudyApi) -> None:
    answer = api.call("POST", "/v1/studies", files=[("other", ("note.txt", b"dropped")), *parts(ct_files(7))])
    assert answer.status_code == 202, answer.text
    assert answer.json()["images"] == 7


@pytest.mark.parametrize("compress", [bytes, gzip.compress], ids=["nii", "nii.gz"])
def test_a_nifti_volume_is_recognised_by_its_content(api: StudyApi, compress: type[bytes]) -> None:
    headers = {"content-type": "application/octet-stream"}
    answer = api.call("POST", "/v1/studies", content=compress(nifti()), headers=headers)
    assert answer.status_code == 202, answer.text
    assert (answer.json()["images"], answer.json()["patient_pseudonym"]) == (6, None)


def test_what_was_sent_is_encrypted_at_rest_and_the_plain_upload_is_gone(api: StudyApi) -> None:
    files = ct_files(patient="X-PATIENT-99", accession="SECRET-ACC")
    api.send(files)
    stored = api.stored_files()
    assert stored
    database = Path(api.settings.database_url.partition("///")[2])
    for file in [*stored, database, database.with_name(f"{database.name}-wal")]:
        content = file.read_bytes()
        assert b"X-PATIENT-99" not in content
        assert b"Curie" not in content
        assert b"SECRET-ACC" not in content
    assert not list(api.settings.spool_folder.iterdir())


def test_the_same_images_are_recognised_in_another_archive_and_order(api: StudyApi) -> None:
    files = ct_files()
    first = api.send(files)
    before = api.stored_files()
    again = api.call("POST", "/v1/studies", files=parts(files[::-1]))
    assert (again.status_code, again.json()["id"], again.json()["version"]) == (202, first["id"], 1)
    assert api.stored_files() == before
    assert api.send(files, "ben")["id"] != first["id"]
    assert accesses(api, first["id"]) == [("created", "ann"), ("sent_again", "ann")]


def test_late_images_belong_to_their_study_even_if_they_are_too_few_for_themselves(api: StudyApi) -> None:
    first = api.send(ct_files(6, study_uid="1.2.3.77"))
    late = api.send(ct_files(1, first=6, study_uid="1.2.3.77"))
    assert (late["id"], late["images"]) == (first["id"], 7)
    alone = api.call("POST", "/v1/studies", content=zipped(ct_files(1)), headers=ZIP)
    assert Problem.model_validate_json(alone.content).type == "/problems/unreadable-study"


def two_patients() -> bytes:
    return zipped(
        ct_files(3, study_uid="1.2.4", patient="one") + ct_files(3, first=3, study_uid="1.2.4", patient="two")
    )


@pytest.mark.parametrize(
    ("content", "status", "slug"),
    [
        (b"", 422, "invalid-request"),
        (b"no study", 422, "unreadable-study"),
        (zipped([b"text"]), 422, "unreadable-study"),
        (zipped([zipped([b"x"])]), 422, "unsafe-archive"),
        (zipped([bytes(80 * 1024 * 1024)]), 422, "unsafe-archive"),
        (zipped(ct_files())[:-40], 422, "unsafe-archive"),
        (two_patients(), 422, "unreadable-study"),
        (nifti()[:400], 422, "unreadable-study"),
    ],
    ids=["empty", "text", "no image", "nested", "bomb", "truncated", "two patients", "short volume"],
)
def test_a_refused_upload_leaves_nothing(api: StudyApi, content: bytes, status: int, slug: str) -> None:
    before, listed = api.stored_files(), api.call("GET", "/v1/studies", params={"limit": "100"}).json()
    answer = api.call("POST", "/v1/studies", content=content, headers=ZIP)
    assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{slug}"), answer.text
    assert api.stored_files() == before
    assert api.call("GET", "/v1/studies", params={"limit": "100"}).json() == listed


def test_the_limits_of_an_upload(authority: TokenAuthority, tmp_path: Path) -> None:
    files = ct_files()
    with study_api(tmp_path, authority, upload_bytes_max=40_000, images_max=5) as api:
        announced = api.call("POST", "/v1/studies", content=bytes(200_000), headers=ZIP)
        streamed = api.call("POST", "/v1/studies", content=iter([bytes(30_000)] * 4), headers=ZIP)
        many = api.call("POST", "/v1/studies", files=parts([b"x"] * 6))
        assert [answer.status_code for answer in (announced, streamed, many)] == [413, 413, 413]
        assert api.call("POST", "/v1/studies", content=zipped(files), headers=ZIP).status_code == 202
    with study_api(tmp_path, authority, account_studies_max=1) as api:
        full = api.call("POST", "/v1/studies", content=zipped(ct_files()), headers=ZIP)
        assert (full.status_code, full.json()["type"]) == (403, "/problems/quota-exceeded")
        assert len(api.stored_files()) == 1


def test_a_full_disk_is_said_and_leaves_nothing(api: StudyApi) -> None:
    """Files of this process cannot grow beyond a mebibyte, as on a disk without more room."""
    before, files = api.stored_files(), ct_files(6, size=512)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024 * 1024, limits[1]))
    try:
        full = api.call("POST", "/v1/studies", files=parts(files))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (full.status_code, full.json()["type"]) == (507, "/problems/insufficient-storage")
    assert full.headers["retry-after"] == "60"
    assert api.stored_files() == before
    assert api.call("POST", "/v1/studies", files=parts(files)).status_code == 202


def test_the_list_has_filters_and_pages(authority: TokenAuthority, tmp_path: Path) -> None:
    with study_api(tmp_path, authority) as api:
        sent = [api.send(ct_files(accession=f"A-{number}"), name=f"Case {number}")["id"] for number in range(3)]
        api.send(ct_files(accession="A-1"), "ben")

        def ids(**params: str) -> list[str]:
            answer = api.call("GET", "/v1/studies", params=params)
            assert answer.status_code == 200, answer.text
            return [item["id"] for item in answer.json()["items"]]

        assert ids() == sent[::-1]
        assert ids(accession="a-1") == [sent[1]]
        assert ids(search="case 2") == [sent[2]]
        assert ids(status="finished") == ids(label="metastasis") == ids(date_from="2026-11-21") == []
        assert ids(date_from="2026-11-20", date_to="2026-11-20") == sent[::-1]
        first = api.call("GET", "/v1/studies", params={"limit": "2"}).json()
        assert ids(limit="2", after=first["next"]) == [sent[0]]
        assert api.call("GET", "/v1/studies", params={"page": "2"}).status_code == 422
        assert api.call("GET", "/v1/studies", params={"date_to": "0"}).status_code == 422


def test_others_and_unknown_ids_cannot_be_told_apart(api: StudyApi) -> None:
    own = api.send(ct_files())["id"]
    for method, action in (
        ("GET", ""), ("DELETE", ""), ("POST", "/cancel"), ("POST", "/analyses"), ("GET", "/result"), ("GET", "/events"),
    ):  # fmt: skip
        answers = [api.call(method, f"/v1/studies/{name}{action}", "ben") for name in (own, NOBODY)]
        foreign, unknown = [{**answer.json(), "request_id": ""} for answer in answers]
        assert foreign == unknown
        assert foreign["type"] == "/problems/no-such-study"
    assert own not in api.call("GET", "/v1/studies", "ben", params={"limit": "100"}).text
    assert api.call("GET", f"/v1/studies/{own}").status_code == 200


def test_a_group_and_administrators_see_a_study_and_each_read_is_recorded(api: StudyApi) -> None:
    liver = api.headers("ann", group="liver")
    answer = api.client.post("/v1/studies", content=zipped(ct_files()), headers=liver | ZIP)
    path = answer.headers["location"]
    readers = {
        "cleo": api.headers("cleo", group="liver"),
        "root": api.headers("root", "studies all-studies"),
        "dan": api.headers("dan", group="heart"),
        "eve": api.headers("eve"),
    }
    assert [api.client.get(path, headers=headers).status_code for headers in readers.values()] == [200, 200, 404, 404]
    assert accesses(api, path.rpartition("/")[2]) == [("created", "ann"), ("read", "cleo"), ("read", "root")]


def test_every_operation_needs_the_scope(api: StudyApi) -> None:
    for method, path in (("GET", "/v1/studies"), ("POST", "/v1/studies"), ("GET", "/v1/webhooks")):
        assert api.client.request(method, path).status_code == 401
        answer = api.client.request(method, path, headers=api.headers(scope="analyses account all-studies"))
        assert (answer.status_code, answer.json()["detail"]) == (403, "the token lacks the scope `studies`")


def test_cancel_analyse_again_and_delete(api: StudyApi) -> None:
    study_id = api.send(ct_files())["id"]
    path = f"/v1/studies/{study_id}"
    assert api.call("POST", f"{path}/cancel").json()["status"] == "cancelled"
    assert api.call("POST", f"{path}/cancel").json()["type"] == "/problems/study-ended"
    again = api.call("POST", f"{path}/analyses", params={"series": "series-2"})
    assert (again.status_code, again.json()["status"], again.json()["version"]) == (202, "queued", 2)
    assert again.headers["location"] == path
    result = api.call("GET", f"{path}/result")
    assert (result.status_code, result.json()["type"]) == (409, "/problems/study-not-finished")
    before = len(api.stored_files())
    assert api.call("DELETE", path).status_code == 204
    assert len(api.stored_files()) == before - 1
    assert api.call("GET", path).status_code == 404
    assert accesses(api, study_id)[-1] == ("deleted", "ann")
