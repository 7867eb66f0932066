"""What a process does not need is not imported by it: each package here would take 4 to 20 MB as long as it runs."""

from __future__ import annotations

import subprocess
import sys

import pytest

_ONLY_FOR_OUTPUTS = {"highdicom", "typst", "fhir.resources", "nibabel", "scipy.ndimage", "scipy.spatial", "pynetdicom"}
_FRAMEWORKS = {"tensorflow", "torch", "matplotlib", "pandas"}


@pytest.mark.parametrize(
    ("module", "unneeded"),
    [
        ("auth_service.app", {"alembic", "zxcvbn", "numpy", "pydicom", "PIL", "grpc", "dbos"}),
        ("gateway.app", {"alembic", "numpy", "pydicom", "PIL", "grpc", "dbos"}),
        ("classify_service.app", {"sqlalchemy", "scipy.ndimage", "dbos", "highdicom", "nibabel"}),
        ("detect_service.app", {"sqlalchemy", "scipy.ndimage", "dbos", "highdicom", "nibabel"}),
        ("study_service.app", _ONLY_FOR_OUTPUTS | {"alembic", "grpc", "dbos"}),
        ("study_service.worker", _ONLY_FOR_OUTPUTS | {"alembic", "grpc", "uvicorn"}),
        ("triton_runtime.keeper", {"fastapi", "numpy", "grpc", "httpx"}),
    ],
)
def test_a_process_does_not_import_what_it_does_not_need(module: str, unneeded: set[str]) -> None:
    program = f"import sys, {module}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    assert set(done.stdout.split()) & (unneeded | _FRAMEWORKS) == set()
