"""A user of the command line, signed up at the running stack."""

from __future__ import annotations

from pathlib import Path

import pytest
from hepar_client import Hepar

from tests.support.hepar_command import PASSWORD, HeparCommand
from tests.support.stack import Stack


@pytest.fixture
def command(stack: Stack, tmp_path: Path) -> HeparCommand:
    ready = HeparCommand(stack.settings.gateway_url, tmp_path / "config")
    with Hepar(stack.settings.gateway_url) as hepar:
        hepar.sign_up(ready.email, PASSWORD)
    return ready


@pytest.fixture
def signed_in(command: HeparCommand) -> HeparCommand:
    assert command("login", command.email).returncode == 0
    return command
