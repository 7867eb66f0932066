"""`Hepar.studies`: whole studies, synchronous."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path

import httpx
from httpx_sse import EventSource, ServerSentEvent

from . import study_calls
from .calls import Call
from .contracts.correction_records import CorrectionRecord
from .contracts.destinations import DestinationList, Send, SendList, SendRequest
from .contracts.findings import CorrectionForm, Finding, FindingList, NewFinding
from .contracts.studies import Study, StudyList
from .contracts.study_events import StudyEventKind, Webhook, WebhookList
from .contracts.study_results import StudyResult
from .errors import GatewayUnreachable
from .responses import has_data, parse, raise_for_problem, read
from .study_calls import ExportOptions, StudyFilter, StudyOptions
from .study_files import Progress, complete_file, find_study

RECONNECTS_MAX = 10
"""Broken connections in a row without an event between them."""
_NO_FILTER, _DEFAULT_OPTIONS, _DEFAULT_EXPORT = StudyFilter(), StudyOptions(), ExportOptions()


class Studies:
    """Methods about studies. They raise what the methods of `Hepar` raise."""

    def __init__(
        self,
        send: Callable[[Call], httpx.Response],
        stream: Callable[[Call], AbstractContextManager[httpx.Response]],
    ) -> None:
        """send: the whole answer, after retries.  stream: the answer before its body."""
        self._send_call = send
        self._stream = stream

    def send(self, path: Path, options: StudyOptions = _DEFAULT_OPTIONS, progress: Progress = lambda _: None) -> Study:
        """Sends a ZIP, a NIfTI or DICOM file, or the DICOM files of a folder; nothing is held in memory.

        progress: called with the bytes read from disk since the last call.  Raises NoStudy and OSError.
        """
        files = find_study(path)
        self.page(limit=1)  # renews the token: a body that is read from disk is sent once
        return read(Study, self._send_call(study_calls.send(files, options, progress)))

    def page(self, chosen: StudyFilter = _NO_FILTER, limit: int = 50, after: str | None = None) -> StudyList:
        """One page, newest first. after: `next` of the page before."""
        return read(StudyList, self._send_call(study_calls.page(chosen, limit, after)))

    def all(self, chosen: StudyFilter = _NO_FILTER) -> Iterator[Study]:
        """Newest first; further pages are fetched on the way."""
        after: str | None = None
        while True:
            found = self.page(chosen, after=after)
            yield from found.items
            after = found.next
            if after is None:
                return

    def get(self, study_id: str) -> Study:
        return read(Study, self._send_call(study_calls.study(study_id)))

    def result(self, study_id: str, version: int | None = None) -> StudyResult:
        return read(StudyResult, self._send_call(study_calls.study(study_id, "GET", "/result", {"version": version})))

    def slice_png(
        self, study_id: str, index: int, *, center_hu: float | None = None, width_hu: float | None = None
    ) -> bytes:
        """A slice in a window of grey levels; in that of the liver by default."""
        query = {"center": center_hu, "width": width_hu}
        return self._bytes(study_calls.study(study_id, "GET", f"/slices/{index}.png", query))

    def mask_png(self, study_id: str, index: int) -> bytes:
        """Liver (index 1) and lesions (2 for L1, 3 for L2 ...) of a slice, as a palette image."""
        return self._bytes(study_calls.study(study_id, "GET", f"/masks/{index}.png"))

    def masks(self, study_id: str) -> bytes:
        """Liver and lesions of the volume, as NIfTI (.nii.gz)."""
        return self._bytes(study_calls.study(study_id, "GET", "/masks.nii.gz"))

    def file(self, study_id: str, name: str, version: int | None = None, language: str = "en") -> bytes:
        """A file of the result, such as `report.pdf`, `segmentation.dcm` or `lesions.csv`."""
        return self._bytes(study_calls.file(study_id, name, version, language))

    def export(
        self,
        study_id: str,
        path: Path,
        options: ExportOptions = _DEFAULT_EXPORT,
        progress: Progress = lambda _: None,
    ) -> None:
        """Writes the de-identified study as a ZIP; nothing is held in memory, and a file is there only when complete.

        progress: called with the bytes written since the last call.  Raises OSError.
        """
        try:
            with self._stream(study_calls.export(study_id, options)) as response:
                if response.is_error:
                    response.read()
                    raise_for_problem(response)
                with complete_file(path) as file:
                    for piece in response.iter_bytes():
                        file.write(piece)
                        progress(len(piece))
        except httpx.HTTPError as error:
            raise GatewayUnreachable(str(error)) from error

    def cancel(self, study_id: str) -> Study:
        return read(Study, self._send_call(study_calls.study(study_id, "POST", "/cancel")))

    def analyse_again(self, study_id: str, series: str | None = None) -> Study:
        """With the models of today, as a new version. series: another one than the automatic choice."""
        return read(Study, self._send_call(study_calls.study(study_id, "POST", "/analyses", {"series": series})))

    def delete(self, study_id: str) -> None:
        raise_for_problem(self._send_call(study_calls.study(study_id, "DELETE")))

    def follow(self, study_id: str) -> Iterator[Study]:
        """The study at every step of its analysis, until it has ended. A broken connection is opened again."""
        last_event, idle_streams = None, 0
        while True:
            idle_streams += 1
            try:
                for event in self._events(study_calls.events(study_id, last_event)):
                    idle_streams = 0
                    if event.event == "end":
                        return
                    last_event = event.id or last_event
                    yield parse(Study, event.data)
            except httpx.HTTPError as error:
                if idle_streams > RECONNECTS_MAX:
                    raise GatewayUnreachable(str(error)) from error
            time.sleep(min(0.5 * idle_streams, 5))

    def wait(self, study_id: str) -> Study:
        """Until the study has ended: finished, failed or cancelled."""
        for _ in self.follow(study_id):
            pass
        return self.get(study_id)

    def findings(self, study_id: str, version: int | None = None) -> FindingList:
        """With the models' answer, what readers made of it, and the history of each finding."""
        call = study_calls.study(study_id, "GET", "/findings", {"version": version})
        return read(FindingList, self._send_call(call))

    def correct(self, study_id: str, finding: Finding, form: CorrectionForm) -> Finding:
        """finding: as it was read; HeparProblem `finding-changed` where somebody has corrected it since then."""
        return read(Finding, self._send_call(study_calls.correction(study_id, finding, form)))

    def add_finding(self, findings: FindingList, form: NewFinding) -> Finding:
        """A lesion that the models missed. findings: as they were read."""
        return read(Finding, self._send_call(study_calls.new_finding(findings, form)))

    def corrections(self, since: datetime | None = None, *, deidentified: bool = False) -> list[CorrectionRecord]:
        """Of all studies that the caller may read, oldest first. since: with its time zone.

        deidentified: with the ids of `export`, and shifted times.
        """
        content = self._bytes(study_calls.corrections(since, deidentified=deidentified))
        return [parse(CorrectionRecord, line) for line in content.splitlines()]

    def destinations(self) -> DestinationList:
        """The archives and record systems that the operator configured."""
        return read(DestinationList, self._send_call(study_calls.destinations()))

    def send_to(self, study_id: str, form: SendRequest) -> Send:
        """Queues the result for a destination. The same send is queued once only."""
        return read(Send, self._send_call(study_calls.request_send(study_id, form)))

    def sends(self, study_id: str, limit: int = 50, after: str | None = None) -> SendList:
        """One page, newest first. after: `next` of the page before."""
        return read(SendList, self._send_call(study_calls.sends(study_id, limit, after)))

    def fetch(self, archive: str, study_uid: str) -> Study:
        """Has Hepar read a study from an archive and analyse it. archive: name of a destination."""
        return read(Study, self._send_call(study_calls.fetch(archive, study_uid)))

    def register_webhook(
        self, url: str, events: tuple[StudyEventKind, ...] = ("finished", "failed"), *, every_study: bool = True
    ) -> Webhook:
        """The answer has the secret, which is not shown again."""
        return read(Webhook, self._send_call(study_calls.register_webhook(url, events, every_study=every_study)))

    def webhooks(self) -> WebhookList:
        return read(WebhookList, self._send_call(study_calls.WEBHOOKS))

    def delete_webhook(self, webhook_id: str) -> None:
        raise_for_problem(self._send_call(study_calls.delete_webhook(webhook_id)))

    def _bytes(self, call: Call) -> bytes:
        response = self._send_call(call)
        raise_for_problem(response)
        return response.content

    def _events(self, call: Call) -> Iterator[ServerSentEvent]:
        with self._stream(call) as response:
            if response.is_error:
                response.read()
                raise_for_problem(response)
            yield from filter(has_data, EventSource(response).iter_sse())
