"""What a caller accepts (RFC 9110, 12.5.1), with the parameters that DICOMweb defines (PS3.18, 8.7)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from fastapi import Request

from hepar.core.errors import ClientError

MULTIPART, DICOM, JSON, OCTETS, PDF, PNG = (
    "multipart/related",
    "application/dicom",
    "application/dicom+json",
    "application/octet-stream",
    "application/pdf",
    "image/png",
)
EXPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
_PART = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*")+')
_PARAMETER = re.compile(r';\s*([!#$%&\'*+.^_`|~0-9A-Za-z-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;,\s]*))')
_RANGES_MAX = 32


class NotAcceptable(ClientError):
    """None of the media types that the caller accepts can be sent."""

    status, title, slug = 406, "The answer has no form that is accepted", "not-acceptable"


@dataclass(frozen=True)
class MediaRange:
    """media_type: of a part, where the answer is multipart.  transfer_syntax: `*` for any, None where none is named."""

    media_type: str
    is_multipart: bool
    transfer_syntax: str | None
    weight: float = field(compare=False)

    def covers(self, media_type: str) -> bool:
        own, _, kind = self.media_type.partition("/")
        return self.media_type in ("*/*", media_type) or (kind == "*" and media_type.startswith(f"{own}/"))

    def takes(self, transfer_syntax: str) -> bool:
        """Where none is named, it is Explicit VR Little Endian (PS3.18, 8.7.3.5.2)."""
        return (self.transfer_syntax or EXPLICIT_LITTLE_ENDIAN) in ("*", transfer_syntax)


def accepted(request: Request) -> list[MediaRange]:
    """Best first. The query parameter `accept` replaces the header (PS3.18, 8.3.3.1). Raises NotAcceptable."""
    stated = request.query_params.get("accept") or ",".join(request.headers.getlist("accept")) or "*/*"
    ranges = [_range(part) for part in _PART.findall(stated)[:_RANGES_MAX]]
    usable = sorted((found for found in ranges if found.weight > 0), key=lambda found: -found.weight)
    if not usable:
        raise NotAcceptable("no media type is accepted")
    return usable


def chosen(request: Request, offered: Sequence[str]) -> str:
    """The media type of an answer in one part. offered: best first. Raises NotAcceptable."""
    for wanted in accepted(request):
        for media_type in offered:
            if not wanted.is_multipart and wanted.covers(media_type):
                return media_type
    raise NotAcceptable(f"this can be sent as {' or '.join(offered)}")


def _range(part: str) -> MediaRange:
    media_type = part.partition(";")[0].strip().lower()
    found: Mapping[str, str] = {name.lower(): quoted or plain for name, quoted, plain in _PARAMETER.findall(part)}
    try:
        weight = float(found.get("q", "1"))
    except ValueError:
        weight = 0.0
    is_multipart = media_type == MULTIPART
    inner = found.get("type", "*/*").strip().lower() if is_multipart else media_type
    return MediaRange(inner, is_multipart, found.get("transfer-syntax"), weight)
