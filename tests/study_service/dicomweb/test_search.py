"""QIDO-RS over HTTP: what is found, by whom, and in which form."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from hepar.storage.database import open_database
from study_service.accesses import accesses_of
from study_service.migrations import MIGRATIONS
from tests.support.dicomweb import SERIES_UID, STUDY_UID, DicomWebServer, values
from tests.support.study_api import ct_files

pytestmark = pytest.mark.usefixtures("files")
DERIVED = ["SEG", "SR", "DOC", "OT"]


def uids(web: DicomWebServer, subject: str = "ann", **params: str) -> list[str]:
    answer = web.get("", subject, **params)
    assert answer.status_code in (200, 204), answer.text
    return [values(item, "0020000D")[0] for item in answer.json()] if answer.content else []


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"StudyInstanceUID": STUDY_UID},
        {"0020000D": f"1.2.3,{STUDY_UID}"},
        {"PatientID": "4711"},
        {"PatientID": "47*"},
        {"PatientName": "curie*"},
        {"PatientName": "C?rie^Marie"},
        {"PatientName": "*marie"},
        {"AccessionNumber": "A-1042"},
        {"AccessionNumber": "A-10*"},
        {"StudyDate": "20261120"},
        {"StudyDate": "20261101-20261130"},
        {"StudyDate": "-20261120"},
        {"StudyDate": "20261120-"},
        {"PatientID": ""},
        {"PatientID": "4711", "StudyDate": "20261120", "limit": "5", "includefield": "all"},
    ],
)
def test_a_study_is_found_by_its_usual_keys(web: DicomWebServer, params: dict[str, str]) -> None:
    assert uids(web, **params) == [STUDY_UID]


@pytest.mark.parametrize(
    "params",
    [
        {"StudyInstanceUID": "1.2.3"},
        {"PatientID": "471"},
        {"PatientID": "4712*"},
        {"PatientName": "Curie"},
        {"PatientName": "*Pierre"},
        {"AccessionNumber": "A-1043"},
        {"StudyDate": "20261121"},
        {"StudyDate": "-20261119"},
        {"ModalitiesInStudy": "MR"},
        {"offset": "1"},
    ],
)
def test_nothing_else_is_found(web: DicomWebServer, params: dict[str, str]) -> None:
    answer = web.get("", **params)
    assert (answer.status_code, answer.content) == (204, b"")


@pytest.mark.parametrize(
    ("params", "named"),
    [
        ({"Nonsense": "1"}, "Nonsense"),
        ({"StudyDescription": "liver"}, "00081030"),
        ({"StudyDate": "2026-11-20"}, "StudyDate"),
        ({"StudyDate": "20261340"}, "StudyDate"),
        ({"limit": "-1"}, "limit"),
        ({"offset": "x"}, "offset"),
        ({"includefield": "Nonsense"}, "includefield"),
    ],
)
def test_what_cannot_be_matched_is_refused_by_name(web: DicomWebServer, params: dict[str, str], named: str) -> None:
    answer = web.get("", **params)
    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/invalid-dicomweb-request")
    assert named in answer.json()["detail"]


def test_a_study_states_its_counts_and_its_address(web: DicomWebServer) -> None:
    [study] = web.get("").json()
    assert (values(study, "00201206"), values(study, "00201208")) == ([5], [10])
    assert values(study, "00080061") == ["CT", "DOC", "OT", "SEG", "SR"]
    assert uids(web, ModalitiesInStudy="SEG") == [STUDY_UID]
    assert values(study, "00081190") == [f"{web.url}/dicom-web/studies/{STUDY_UID}"]
    assert values(study, "00100010") == [{"Alphabetic": "Curie^Marie"}]


def test_a_study_that_is_not_analysed_yet_states_its_modality(web: DicomWebServer) -> None:
    study_uid = f"{STUDY_UID}.5"
    assert web.stow(ct_files(1, study_uid=study_uid), "fay").status_code == 200
    (found,) = web.get("", "fay", StudyInstanceUID=study_uid).json()
    assert values(found, "00080061") == ["CT"], "OHIF lists no study after one without a modality"
    assert uids(web, "fay", ModalitiesInStudy="CT") == [study_uid]


def test_the_series_of_a_study_are_images_and_objects_of_the_result(web: DicomWebServer) -> None:
    found = web.get(f"/{STUDY_UID}/series", accept="application/json").json()
    assert [values(item, "00080060")[0] for item in found] == ["CT", *DERIVED]
    assert [values(item, "00201209")[0] for item in found] == [6, 1, 1, 1, 1]
    assert values(found[0], "0020000E") == [SERIES_UID]
    only = web.get(f"/{STUDY_UID}/series", Modality="SEG").json()
    assert [values(item, "00080060")[0] for item in only] == ["SEG"]


def test_instances_are_found_and_paged(web: DicomWebServer) -> None:
    first = web.get(f"/{STUDY_UID}/instances", limit="4")
    assert "additional results" in first.headers["warning"]
    rest = web.get(f"/{STUDY_UID}/instances", offset="4")
    assert "warning" not in rest.headers
    found = [values(item, "00080018")[0] for item in first.json() + rest.json()]
    assert len(found) == len(set(found)) == 10
    of_series = web.get(
        f"/{STUDY_UID}/series/{SERIES_UID}/instances", InstanceNumber="3", includefield="SliceThickness"
    )
    [third] = of_series.json()
    assert (values(third, "00080018"), values(third, "00180050")) == ([f"{STUDY_UID}.3"], [5.0])
    assert "00200032" not in third
    assert "00200032" in web.get(f"/{STUDY_UID}/instances", includefield="all").json()[0]


def test_fuzzy_matching_is_declined_with_a_warning(web: DicomWebServer) -> None:
    answer = web.get("", fuzzymatching="true", PatientName="curie^marie")
    assert answer.status_code == 200
    assert "fuzzymatching parameter is not supported" in answer.headers["warning"]


def test_only_json_can_be_accepted(web: DicomWebServer) -> None:
    for path in ("", f"/{STUDY_UID}/series", f"/{STUDY_UID}/metadata"):
        answer = web.get(path, accept='multipart/related; type="application/dicom+xml"')
        assert (answer.status_code, answer.json()["type"]) == (406, "/problems/not-acceptable")


def test_others_find_nothing_and_each_access_is_recorded(web: DicomWebServer) -> None:
    files = ct_files(6, study_uid="1.2.826.0.1.3680043.8.498.78", patient="4714")
    assert web.stow(files, "gil").status_code == 200
    assert uids(web, "eve") == []
    assert uids(web, "gil", StudyInstanceUID=STUDY_UID) == []
    for path in (f"/{STUDY_UID}/series", f"/{STUDY_UID}", f"/{STUDY_UID}/metadata"):
        foreign, unknown = web.get(path, "eve"), web.get(path.replace(STUDY_UID, "1.2.3"), "eve")
        assert (foreign.status_code, foreign.json()["type"]) == (404, "/problems/no-such-study")
        assert foreign.json() | {"request_id": ""} == unknown.json() | {"request_id": ""}
    root = web.headers("root", "studies all-studies")
    own = web.url + "/dicom-web/studies/1.2.826.0.1.3680043.8.498.78/series"
    assert httpx.get(own, headers=root, trust_env=False, timeout=60).status_code == 200
    [study] = httpx.get(f"{web.url}/v1/studies", headers=web.headers("gil"), trust_env=False, timeout=60).json()[
        "items"
    ]

    async def recorded() -> list[tuple[str, str | None]]:
        async with open_database(web.settings.database_url, MIGRATIONS, "studies") as database:
            return [(item.event, item.actor) for item in await accesses_of(database, study["id"])]

    assert asyncio.run(recorded()) == [("created", "gil"), ("read", "root")]
    assert httpx.get(own, trust_env=False, timeout=60).status_code == 401
    no_scope = httpx.get(own, headers=web.headers("gil", "analyses"), trust_env=False, timeout=60)
    assert no_scope.status_code == 403
