"""A prepared data set of phantoms that the tests of training share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.training.support import run_training


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run whose data is prepared."""
    folder = tmp_path_factory.mktemp("run")
    result = run_training(folder, "prepare")
    assert result.returncode == 0, result.stderr
    return folder
