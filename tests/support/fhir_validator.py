"""The FHIR validator of npm."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.node_programs import node_output


def errors_of(content: bytes, tmp_path: Path) -> list[str]:
    """What it refuses of a resource; of a Bundle, its resources too."""
    (tmp_path / "resource.json").write_bytes(content)
    messages = json.loads(node_output("validate.mjs", "fhir", tmp_path / "resource.json"))
    return [
        f"{item['location']}: {item['message']}" for item in messages if item["severity"] not in ("info", "warning")
    ]
