"""DICOMweb through the gateway: forwarded both ways, with the limits of study uploads and the caller's own address."""

from __future__ import annotations

import pydicom.uid

from tests.support.dicomweb import STUDIES, related, values
from tests.support.gateway_client import Surroundings, bearer, gateway
from tests.support.study_api import ct_files


def test_a_study_is_stored_found_and_read(around: Surroundings) -> None:
    uid = pydicom.uid.generate_uid()
    files = ct_files(3, study_uid=uid)
    content, headers = related(files)
    with gateway(around) as client:
        caller = bearer(around)
        stored = client.post(STUDIES, content=content, headers=headers | caller)
        assert stored.status_code == 200, stored.text
        public = str(client.base_url).rstrip("/")
        assert values(stored.json(), "00081190") == [f"{public}{STUDIES}/{uid}"]
        found = client.get(STUDIES, params={"StudyInstanceUID": uid}, headers=caller)
        assert [values(item, "0020000D") for item in found.json()] == [[uid]]
        none = client.get(STUDIES, params={"StudyInstanceUID": "1.2.3"}, headers=caller)
        assert (none.status_code, none.content) == (204, b"")
        paged = client.get(f"{STUDIES}/{uid}/instances", params={"limit": "1"}, headers=caller)
        assert "additional results" in paged.headers["warning"]
        study = client.get(f"{STUDIES}/{uid}", headers=caller)
        assert study.headers["content-type"].startswith('multipart/related; type="application/dicom"; boundary=')
        assert all(file in study.content for file in files)
        refused = client.post(f"{STUDIES}/1.2.3", content=content, headers=headers | caller)
        assert (refused.status_code, len(values(refused.json(), "00081198"))) == (409, 3)
        others = client.get(f"{STUDIES}/{uid}", headers=bearer(around, subject="eve"))
        assert (others.status_code, others.json()["type"]) == (404, "/problems/no-such-study")


def test_what_the_gateway_refuses(around: Surroundings) -> None:
    content, headers = related(ct_files(1))
    with gateway(around, study_bytes_max=5000) as client:
        assert client.post(STUDIES, content=content, headers=headers).status_code == 401
        scope = client.get(STUDIES, headers=bearer(around, "analyses"))
        assert (scope.status_code, scope.json()["type"]) == (403, "/problems/forbidden")
        large = client.post(STUDIES, content=bytes(100_000), headers=headers | bearer(around))
        assert (large.status_code, large.json()["type"]) == (413, "/problems/too-large")
        assert client.delete(STUDIES, headers=bearer(around)).status_code == 405
        html = client.get(STUDIES, headers=bearer(around) | {"accept": "text/html"})
        assert (html.status_code, html.json()["type"]) == (406, "/problems/not-acceptable")
