"""The FHIR interface for tests: the gateway, auth_service and study_service, with people who call it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
from fastapi.testclient import TestClient

from auth_service.app import create_app as create_auth
from auth_service.keys import KeyRing
from auth_service.settings import AuthSettings
from auth_service.tokens import TokenIssuer
from gateway.app import create_app
from gateway.settings import GatewaySettings
from study_service.app import create_app as create_study
from tests.support.finished_studies import finish_study
from tests.support.gateway_client import NOWHERE, Surroundings
from tests.support.public_api import Person, PublicApi
from tests.support.serving import serving
from tests.support.study_api import ZIP, ct_files, study_settings, zipped

CALLER = "203.0.113.7"
FHIR_JSON = "application/fhir+json"
_SOP_UIDS = [f"1.2.3.{number}" for number in range(1, 7)]


@dataclass(frozen=True)
class FhirApi:
    """public: called as by CALLER.  ann, ben: clinicians without a group."""

    public: PublicApi
    ann: Person
    ben: Person

    def get(self, path: str, who: Person | None = None, **request: Any) -> httpx2.Response:  # noqa: ANN401
        """path: below /fhir. who: ann by default."""
        headers = (who or self.ann).headers | request.pop("headers", {})
        return self.public.client.get(f"/fhir/{path}", headers=headers, **request)

    def found(self, path: str, who: Person | None = None, **request: Any) -> dict[str, Any]:  # noqa: ANN401
        answer = self.get(path, who, **request)
        assert (answer.status_code, answer.headers["content-type"]) == (200, FHIR_JSON), answer.text
        document: dict[str, Any] = answer.json()
        return document

    def resources(self, path: str, who: Person | None = None, **request: Any) -> list[dict[str, Any]]:  # noqa: ANN401
        """Those that match."""
        entries = self.found(path, who, **request).get("entry", [])
        return [entry["resource"] for entry in entries if entry["search"]["mode"] == "match"]

    def finished_study(self, who: Person | None = None, **attributes: str) -> str:
        """attributes: of `ct_files`."""
        headers = (who or self.ann).headers | ZIP
        body = zipped(ct_files(**attributes))  # type: ignore[arg-type]
        sent = self.public.client.post("/v1/studies", content=body, headers=headers)
        assert sent.status_code == 202, sent.text
        study_id: str = sent.json()["id"]
        finish_study(self.public.study_settings, study_id, _SOP_UIDS)
        return study_id


@contextmanager
def fhir_api(folder: Path) -> Iterator[FhirApi]:
    auth = AuthSettings(
        database_url=f"sqlite+aiosqlite:///{folder / 'a.sqlite3'}",
        keys_folder=folder / "keys",
        secret_key_file=folder / "secret.key",
    )
    with ExitStack() as stack:
        auth_url = stack.enter_context(serving(create_auth(auth)))
        study = study_settings(folder, auth_url)
        study_url = stack.enter_context(serving(create_study(study)))
        issuer = TokenIssuer(KeyRing(folder / "keys", 600), "hepar-auth", "hepar", 600)
        around = Surroundings(auth_url, NOWHERE, NOWHERE, study_url, study, issuer, folder)
        settings = GatewaySettings(
            auth_url=auth_url, study_url=study_url, database_url=f"sqlite+aiosqlite:///{folder / 'g.sqlite3'}"
        )
        app = create_app(settings)
        client = stack.enter_context(TestClient(app, base_url="http://127.0.0.1", client=(CALLER, 50000)))
        public = PublicApi(client, around)
        yield FhirApi(public, public.person(), public.person())
