"""Which processes of the Procfile are started."""

from __future__ import annotations

from pathlib import Path

from local_stack.supervisor import processes

PROCFILE = Path(__file__).parents[2] / "Procfile"


def test_the_dicom_listener_is_started_where_somebody_may_send() -> None:
    without = processes(PROCFILE, {})
    assert {"triton", "auth", "classify", "detect", "gateway", "study", "study_worker"} == without.keys()
    assert processes(PROCFILE, {"HEPAR_STUDY_LISTEN_PEERS": ""}) == without
    added = processes(PROCFILE, {"HEPAR_STUDY_LISTEN_PEERS": "[...]"}).keys() - without.keys()
    assert added == {"study_listener"}
