"""Requests about studies, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from functools import partial

from .calls import Call
from .contracts.destinations import DESTINATIONS_PATH, FetchRequest, SendRequest
from .contracts.findings import CorrectionForm, Finding, FindingList, NewFinding
from .contracts.studies import STUDIES_PATH, StudyStatus
from .contracts.study_events import StudyEventKind
from .study_files import Progress, StudyFiles

_WEBHOOKS = "/v1/webhooks"


@dataclass(frozen=True)
class StudyOptions:
    """How a study is sent. series: the id of the series to analyse, where the automatic choice is not wanted.

    webhook: the id of a registered webhook.
    """

    name: str | None = None
    series: str | None = None
    urgent: bool = False
    webhook: str | None = None

    def query(self) -> list[tuple[str, str]]:
        pairs = [(name, getattr(self, name)) for name in ("name", "series", "webhook")]
        return [(name, value) for name, value in pairs if value] + ([("priority", "urgent")] if self.urgent else [])


@dataclass(frozen=True)
class ExportOptions:
    """What a de-identified export retains. version: of the result, the newest by default.

    shifted_dates: dates, each later or earlier by the same days for a patient; they are removed otherwise.
    characteristics: sex, age, size and weight of the patient.
    """

    version: int | None = None
    shifted_dates: bool = False
    characteristics: bool = False


@dataclass(frozen=True)
class StudyFilter:
    """Which studies to list. date_from, date_to: of the examination, YYYY-MM-DD."""

    accession: str | None = None
    date_from: str | None = None
    date_to: str | None = None
    status: StudyStatus | None = None
    label: str | None = None
    search: str | None = None

    def query(self) -> list[tuple[str, str]]:
        pairs = [(field.name, getattr(self, field.name)) for field in fields(self)]
        return [(name, value) for name, value in pairs if value is not None]


def send(files: StudyFiles, options: StudyOptions, progress: Progress) -> Call:
    stream = partial(files.chunks, progress)
    return Call("POST", STUDIES_PATH, query=options.query(), stream=stream, headers=files.headers())


def page(chosen: StudyFilter, limit: int, after: str | None) -> Call:
    cursor = [("after", after)] if after else []
    return Call("GET", STUDIES_PATH, query=[*chosen.query(), ("limit", str(limit)), *cursor])


def study(study_id: str, method: str = "GET", action: str = "", query: Mapping[str, object] | None = None) -> Call:
    """action: what follows the id, for example `/cancel`.  query: names and values; None is left out."""
    pairs = [(name, str(value)) for name, value in (query or {}).items() if value is not None]
    return Call(method, f"{STUDIES_PATH}/{study_id}{action}", query=pairs)


def file(study_id: str, name: str, version: int | None, language: str) -> Call:
    return study(study_id, "GET", f"/files/{name}", {"version": version, "language": language})


def export(study_id: str, options: ExportOptions) -> Call:
    query = {
        "version": options.version,
        "dates": "shifted" if options.shifted_dates else "removed",
        "characteristics": "retained" if options.characteristics else "removed",
    }
    return study(study_id, "GET", "/deidentified.zip", query)


def destinations() -> Call:
    return Call("GET", DESTINATIONS_PATH)


def request_send(study_id: str, form: SendRequest) -> Call:
    return Call("POST", f"{STUDIES_PATH}/{study_id}/sends", json=form.model_dump(mode="json", exclude_none=True))


def sends(study_id: str, limit: int, after: str | None) -> Call:
    return study(study_id, "GET", "/sends", {"limit": limit, "after": after})


def fetch(archive: str, study_uid: str) -> Call:
    form = FetchRequest(study_uid=study_uid)
    return Call("POST", f"{DESTINATIONS_PATH}/{archive}/fetches", json=form.model_dump(mode="json"))


def events(study_id: str, last_event: str | None) -> Call:
    resumed = {"Last-Event-ID": last_event} if last_event else {}
    return Call("GET", f"{STUDIES_PATH}/{study_id}/events", headers={"Accept": "text/event-stream"} | resumed)


def register_webhook(url: str, kinds: tuple[StudyEventKind, ...], *, every_study: bool) -> Call:
    return Call("POST", _WEBHOOKS, json={"url": url, "events": list(kinds), "every_study": every_study})


WEBHOOKS = Call("GET", _WEBHOOKS)


def delete_webhook(webhook_id: str) -> Call:
    return Call("DELETE", f"{_WEBHOOKS}/{webhook_id}")


def new_finding(findings: FindingList, form: NewFinding) -> Call:
    path, query = f"{STUDIES_PATH}/{findings.study_id}/findings", [("version", str(findings.version))]
    return Call("POST", path, query=query, json=form.model_dump(mode="json"), headers={"If-Match": findings.etag})


def correction(study_id: str, finding: Finding, form: CorrectionForm) -> Call:
    path, query = f"{STUDIES_PATH}/{study_id}/findings/{finding.id}/corrections", [("version", str(finding.version))]
    return Call("POST", path, query=query, json=form.model_dump(mode="json"), headers={"If-Match": finding.etag})


def corrections(since: datetime | None, *, deidentified: bool) -> Call:
    query = [("since", since.isoformat())] if since else []
    query += [("deidentified", "true")] if deidentified else []
    return Call("GET", "/v1/corrections", query=query)
