"""`AsyncHepar.studies`: whole studies, for asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
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


class AsyncStudies:
    """The same as `Studies` for asyncio."""

    def __init__(
        self,
        send: Callable[[Call], Awaitable[httpx.Response]],
        stream: Callable[[Call], AbstractAsyncContextManager[httpx.Response]],
    ) -> None:
        """send: the whole answer, after retries.  stream: the answer before its body."""
        self._send_call = send
        self._stream = stream

    async def send(
        self, path: Path, options: StudyOptions = _DEFAULT_OPTIONS, progress: Progress = lambda _: None
    ) -> Study:
        """Sends a ZIP, a NIfTI or DICOM file, or the DICOM files of a folder; nothing is held in memory.

        progress: called with the bytes read from disk since the last call.  Raises NoStudy and OSError.
        """
        files = await asyncio.to_thread(find_study, path)
        await self.page(limit=1)  # renews the token: a body that is read from disk is sent once
        return read(Study, await self._send_call(study_calls.send(files, options, progress)))

    async def page(self, chosen: StudyFilter = _NO_FILTER, limit: int = 50, after: str | None = None) -> StudyList:
        """One page, newest first. after: `next` of the page before."""
        return read(StudyList, await self._send_call(study_calls.page(chosen, limit, after)))

    async def all(self, chosen: StudyFilter = _NO_FILTER) -> AsyncIterator[Study]:
        """Newest first; further pages are fetched on the way."""
        after: str | None = None
        while True:
            found = await self.page(chosen, after=after)
            for study in found.items:
                yield study
            after = found.next
            if after is None:
                return

    async def get(self, study_id: str) -> Study:
        return read(Study, await self._send_call(study_calls.study(study_id)))

    async def result(self, study_id: str, version: int | None = None) -> StudyResult:
        call = study_calls.study(study_id, "GET", "/result", {"version": version})
        return read(StudyResult, await self._send_call(call))

    async def slice_png(
        self, study_id: str, index: int, *, center_hu: float | None = None, width_hu: float | None = None
    ) -> bytes:
        """A slice in a window of grey levels; in that of the liver by default."""
        query = {"center": center_hu, "width": width_hu}
        return await self._bytes(study_calls.study(study_id, "GET", f"/slices/{index}.png", query))

    async def mask_png(self, study_id: str, index: int) -> bytes:
        """Liver (index 1) and lesions (2 for L1, 3 for L2 ...) of a slice, as a palette image."""
        return await self._bytes(study_calls.study(study_id, "GET", f"/masks/{index}.png"))

    async def masks(self, study_id: str) -> bytes:
        """Liver and lesions of the volume, as NIfTI (.nii.gz)."""
        return await self._bytes(study_calls.study(study_id, "GET", "/masks.nii.gz"))

    async def file(self, study_id: str, name: str, version: int | None = None, language: str = "en") -> bytes:
        """A file of the result, such as `report.pdf`, `segmentation.dcm` or `lesions.csv`."""
        return await self._bytes(study_calls.file(study_id, name, version, language))

    async def export(
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
            async with self._stream(study_calls.export(study_id, options)) as response:
                if response.is_error:
                    await response.aread()
                    raise_for_problem(response)
                with complete_file(path) as file:
                    async for piece in response.aiter_bytes():
                        await asyncio.to_thread(file.write, piece)
                        progress(len(piece))
        except httpx.HTTPError as error:
            raise GatewayUnreachable(str(error)) from error

    async def cancel(self, study_id: str) -> Study:
        return read(Study, await self._send_call(study_calls.study(study_id, "POST", "/cancel")))

    async def analyse_again(self, study_id: str, series: str | None = None) -> Study:
        """With the models of today, as a new version. series: another one than the automatic choice."""
        return read(Study, await self._send_call(study_calls.study(study_id, "POST", "/analyses", {"series": series})))

    async def delete(self, study_id: str) -> None:
        raise_for_problem(await self._send_call(study_calls.study(study_id, "DELETE")))

    async def follow(self, study_id: str) -> AsyncIterator[Study]:
        """The study at every step of its analysis, until it has ended. A broken connection is opened again."""
        last_event, idle_streams = None, 0
        while True:
            idle_streams += 1
            try:
                async for event in self._events(study_calls.events(study_id, last_event)):
                    idle_streams = 0
                    if event.event == "end":
                        return
                    last_event = event.id or last_event
                    yield parse(Study, event.data)
            except httpx.HTTPError as error:
                if idle_streams > RECONNECTS_MAX:
                    raise GatewayUnreachable(str(error)) from error
            await asyncio.sleep(min(0.5 * idle_streams, 5))

    async def wait(self, study_id: str) -> Study:
        """Until the study has ended: finished, failed or cancelled."""
        async for _ in self.follow(study_id):
            pass
        return await self.get(study_id)

    async def findings(self, study_id: str, version: int | None = None) -> FindingList:
        """With the models' answer, what readers made of it, and the history of each finding."""
        call = study_calls.study(study_id, "GET", "/findings", {"version": version})
        return read(FindingList, await self._send_call(call))

    async def correct(self, study_id: str, finding: Finding, form: CorrectionForm) -> Finding:
        """finding: as it was read; HeparProblem `finding-changed` where somebody has corrected it since then."""
        return read(Finding, await self._send_call(study_calls.correction(study_id, finding, form)))

    async def add_finding(self, findings: FindingList, form: NewFinding) -> Finding:
        """A lesion that the models missed. findings: as they were read."""
        return read(Finding, await self._send_call(study_calls.new_finding(findings, form)))

    async def corrections(self, since: datetime | None = None, *, deidentified: bool = False) -> list[CorrectionRecord]:
        """Of all studies that the caller may read, oldest first. since: with its time zone.

        deidentified: with the ids of `export`, and shifted times.
        """
        content = await self._bytes(study_calls.corrections(since, deidentified=deidentified))
        return [parse(CorrectionRecord, line) for line in content.splitlines()]

    async def destinations(self) -> DestinationList:
        """The archives and record systems that the operator configured."""
        return read(DestinationList, await self._send_call(study_calls.destinations()))

    async def send_to(self, study_id: str, form: SendRequest) -> Send:
        """Queues the result for a destination. The same send is queued once only."""
        return read(Send, await self._send_call(study_calls.request_send(study_id, form)))

    async def sends(self, study_id: str, limit: int = 50, after: str | None = None) -> SendList:
        """One page, newest first. after: `next` of the page before."""
        return read(SendList, await self._send_call(study_calls.sends(study_id, limit, after)))

    async def fetch(self, archive: str, study_uid: str) -> Study:
        """Has Hepar read a study from an archive and analyse it. archive: name of a destination."""
        return read(Study, await self._send_call(study_calls.fetch(archive, study_uid)))

    async def register_webhook(
        self, url: str, events: tuple[StudyEventKind, ...] = ("finished", "failed"), *, every_study: bool = True
    ) -> Webhook:
        """The answer has the secret, which is not shown again."""
        return read(Webhook, await self._send_call(study_calls.register_webhook(url, events, every_study=every_study)))

    async def webhooks(self) -> WebhookList:
        return read(WebhookList, await self._send_call(study_calls.WEBHOOKS))

    async def delete_webhook(self, webhook_id: str) -> None:
        raise_for_problem(await self._send_call(study_calls.delete_webhook(webhook_id)))

    async def _bytes(self, call: Call) -> bytes:
        response = await self._send_call(call)
        raise_for_problem(response)
        return response.content

    async def _events(self, call: Call) -> AsyncIterator[ServerSentEvent]:
        async with self._stream(call) as response:
            if response.is_error:
                await response.aread()
                raise_for_problem(response)
            async for event in EventSource(response).aiter_sse():
                if has_data(event):
                    yield event
