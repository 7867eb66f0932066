"""What the answer of an archive to STOW-RS means for a send."""

from __future__ import annotations

import json
from typing import Any

import pytest

from study_service.destinations.dicomweb import check_outcome
from study_service.destinations.sender import SendFailed
from tests.support.dicomweb import dataset
from tests.support.study_api import ct_files

FILES: dict[str, bytes] = dict(zip(("segmentation.dcm", "report.dcm"), ct_files(2), strict=True))
UIDS = {name: str(dataset(content).SOPInstanceUID) for name, content in FILES.items()}


def failed(reasons: dict[str, int], **more: object) -> bytes:
    items = [
        {"00081155": {"vr": "UI", "Value": [UIDS[name]]}, "00081197": {"vr": "US", "Value": [reason]}}
        for name, reason in reasons.items()
    ]
    return json.dumps({"00081198": {"vr": "SQ", "Value": items}} | more).encode()


def warned(reason: int) -> bytes:
    item = {"00081155": {"vr": "UI", "Value": ["1.2"]}, "00081196": {"vr": "US", "Value": [reason]}}
    return json.dumps({"00081199": {"vr": "SQ", "Value": [item]}}).encode()


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b"{}"),
        (200, b""),
        (200, b"<NativeDicomModel/>"),
        (202, warned(0xB000)),
        (202, failed({"report.dcm": 0x0111})),
        (409, failed({"report.dcm": 0x0111, "segmentation.dcm": 0x0111})),
    ],
)
def test_what_is_stored_stays_stored(status: int, body: bytes) -> None:
    check_outcome(status, body, FILES)


@pytest.mark.parametrize(
    ("status", "body", "permanent", "reason"),
    [
        (202, failed({"report.dcm": 0x0122}), True, "the archive refuses report.dcm (reason 0122h)"),
        (202, failed({"report.dcm": 0xA700}), False, "the archive refuses report.dcm (reason A700h)"),
        (409, failed({"segmentation.dcm": 0x0111, "report.dcm": 0x0110}), True, "report.dcm (reason 0110h)"),
        (409, failed({"segmentation.dcm": 0xA700, "report.dcm": 0x0110}), True, "segmentation.dcm (reason A700h)"),
        (409, b"{}", True, "stored nothing and gives no reason"),
        (409, b"[]", True, "stored nothing and gives no reason"),
        (202, json.dumps({"0008119A": {"vr": "SQ", "Value": [{}, {}]}}).encode(), True, "2 without a name"),
        (202, json.dumps([{"00081198": {"vr": "SQ", "Value": [{}]}}]).encode(), True, "an object (reason not given)"),
    ],
)
def test_what_is_not_stored_is_a_failure(status: int, body: bytes, permanent: bool, reason: str) -> None:
    with pytest.raises(SendFailed) as raised:
        check_outcome(status, body, FILES)
    assert raised.value.permanent is permanent
    assert reason in raised.value.reason
    assert not any(uid in raised.value.reason for uid in UIDS.values())


@pytest.mark.parametrize("body", [{"00081198": None}, {"00081198": {"Value": "x"}}, {"00081198": {"Value": [1]}}])
def test_a_malformed_answer_is_no_error_of_ours(body: dict[str, Any]) -> None:
    check_outcome(200, json.dumps(body).encode(), FILES)
