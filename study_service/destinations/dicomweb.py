"""Sends DICOM objects to an archive by STOW-RS (PS3.18, 10.5); the test is a search for one study."""

from __future__ import annotations

import io
import json
import uuid
from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx
import pydicom

from study_service.destinations.configuration import DicomWebDestination
from study_service.destinations.sender import SendFailed, refusal
from study_service.dicomweb.client import DicomWebClient

_JSON = "application/dicom+json"
_FAILED, _REASON, _UID = "00081198", "00081197", "00081155"
_OTHER_FAILURES = "0008119A"
_DUPLICATE = 0x0111
_OUT_OF_RESOURCES = range(0xA700, 0xA800)
_WITH_OUTCOME = (200, 202, 409)
_PERMANENT = (400, 406, 413, 415, 422)
"""Statuses that say something of the objects. Others may pass: a sign-in can be corrected, a service started again."""
_ANSWER_BYTES_MAX = 4 * 1024 * 1024


class DicomWebSender:
    """Objects have the same UIDs each time, so an archive recognises what it has."""

    def __init__(self, destination: DicomWebDestination) -> None:
        """Raises OSError for certificates that cannot be used."""
        self._client = DicomWebClient(destination)

    async def send(self, outputs: Mapping[str, bytes]) -> None:
        boundary = uuid.uuid4().hex
        headers = {
            "content-type": f'multipart/related; type="application/dicom"; boundary={boundary}',
            "accept": _JSON,
        }
        status, body = await self._call("POST", "/studies", headers, _parts(outputs, boundary))
        if status not in _WITH_OUTCOME:
            raise SendFailed(f"the archive answers with status {status}", permanent=status in _PERMANENT)
        check_outcome(status, body, outputs)

    async def test(self) -> None:
        status, _ = await self._call("GET", "/studies?limit=1", {"accept": _JSON})
        if status not in (200, 204):
            raise SendFailed(f"the archive answers a search with status {status}")

    async def _call(
        self, method: str, path: str, headers: Mapping[str, str], content: AsyncIterator[bytes] | None = None
    ) -> tuple[int, bytes]:
        """The status and the document. Raises SendFailed where there is no answer."""
        body = bytearray()
        try:
            async with self._client.request(method, path, headers, content) as answer:
                async for chunk in answer.aiter_bytes():
                    body += chunk
                    if len(body) > _ANSWER_BYTES_MAX:
                        raise SendFailed("the archive's answer is too long")
                return answer.status_code, bytes(body)
        except httpx.HTTPError as error:
            raise SendFailed(f"the archive does not answer ({type(error).__name__})") from error


async def _parts(outputs: Mapping[str, bytes], boundary: str) -> AsyncIterator[bytes]:
    for content in outputs.values():
        yield f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode()
        yield content
        yield b"\r\n"
    yield f"--{boundary}--\r\n".encode()


def check_outcome(status: int, body: bytes, outputs: Mapping[str, bytes]) -> None:
    """What an archive has already is no failure, and warnings are none. Raises SendFailed."""
    document = _document(body)
    failed = [item for item in _items(document, _FAILED) if _value(item, _REASON) != _DUPLICATE]
    others = len(_items(document, _OTHER_FAILURES))
    if not failed and not others:
        if status == httpx.codes.CONFLICT and not _items(document, _FAILED):
            raise SendFailed("the archive stored nothing and gives no reason", permanent=True)
        return
    names = {str(pydicom.dcmread(io.BytesIO(content)).SOPInstanceUID): name for name, content in outputs.items()}
    reasons = [_value(item, _REASON) for item in failed]
    stated = [
        (names.get(str(_value(item, _UID)), "an object"), f"reason {_hexadecimal(reason)}")
        for item, reason in zip(failed, reasons, strict=True)
    ]
    if others:
        stated.append((f"{others} without a name", "reason not given"))
    may_pass = bool(reasons) and all(reason in _OUT_OF_RESOURCES for reason in reasons) and not others
    raise SendFailed(refusal(stated), permanent=not may_pass)


def _hexadecimal(reason: object) -> str:
    return f"{reason:04X}h" if isinstance(reason, int) else "not given"


def _document(body: bytes) -> dict[str, Any]:
    """Empty for what is no DICOM JSON: some archives answer without a document."""
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    if isinstance(found, list):
        found = found[0] if found else {}
    return found if isinstance(found, dict) else {}


def _items(document: Mapping[str, Any], tag: str) -> list[Mapping[str, Any]]:
    element = document.get(tag)
    values = element.get("Value") if isinstance(element, dict) else None
    return [item for item in values if isinstance(item, dict)] if isinstance(values, list) else []


def _value(item: Mapping[str, Any], tag: str) -> object:
    element = item.get(tag)
    values = element.get("Value") if isinstance(element, dict) else None
    return values[0] if isinstance(values, list) and values else None
