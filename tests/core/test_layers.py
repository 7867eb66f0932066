"""Lower layers load no web framework and no database, in a fresh process."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {"fastapi", "starlette", "sqlalchemy", "uvicorn", "httpx"}
MODULES = ["hepar.core.request_context", "hepar.imaging", "hepar.ensemble.voting", "hepar.ensemble.fusion"]
MODULES += ["hepar.ensemble.activation_maps", "hepar.ensemble.box_shares", "hepar.ensemble.drift", "hepar.inference"]
MODULES += ["hepar.serving.decode_workers"]


@pytest.mark.parametrize("module", MODULES)
def test_lower_layers_load_no_web_framework_and_no_database(module: str) -> None:
    code = f"import sys, {module}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60).stdout
    assert module in loaded.split()
    assert {name.partition(".")[0] for name in loaded.split()} & HEAVY == set()
