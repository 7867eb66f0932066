"""Every operation against its description, by schemathesis; schemathesis_hooks.py says what is accepted."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.processes import unmeasured
from tests.support.stack import tiny_stack
from tests.support.tiny_models import write_segmenter

EXAMPLES_IN_THE_SUITE = 2
EXAMPLES_IN_FULL = 100
PHASES = "examples,coverage,fuzzing,stateful"


@pytest.mark.timeout(7200)
def test_no_operation_departs_from_its_description(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """`make attack` runs all phases with 100 examples an operation; the suite leaves the phase `coverage` out."""
    full = bool(request.config.getoption("--full", False))
    limits = dict.fromkeys(("HEPAR_GATEWAY_ACCOUNT_PER_MINUTE", "HEPAR_GATEWAY_ADDRESS_PER_MINUTE"), "1000000")
    write_segmenter(tmp_path / "models", "segment_tiny")
    with tiny_stack(tmp_path, **limits) as stack:
        done = subprocess.run(
            [
                Path(sys.executable).parent / "schemathesis", "run", f"{stack.settings.gateway_url}/v1/openapi.json",
                "--phases", PHASES if full else "examples,fuzzing,stateful",
                "--max-examples", str(EXAMPLES_IN_FULL if full else EXAMPLES_IN_THE_SUITE),
                "--seed", "1", "--continue-on-failure", "--generation-database", "none", "--request-timeout", "120",
                "--suppress-health-check", "all", "--no-color",
            ],
            env=unmeasured(os.environ | stack.variables()) | {
                "HEPAR_URL": stack.settings.gateway_url,
                "PYTHONPATH": str(Path.cwd()),
                "SCHEMATHESIS_HOOKS": "tests.security.schemathesis_hooks",
            },
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )  # fmt: skip
    print(done.stdout[done.stdout.find("= SUMMARY") :])  # noqa: T201
    assert done.returncode == 0, done.stdout + done.stderr
