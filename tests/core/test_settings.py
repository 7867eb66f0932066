"""Settings: unknown variables stop the start and name the nearest known one."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic_settings import BaseSettings

from auth_service.settings import AuthSettings
from classify_service.settings import ClassifySettings
from detect_service.settings import DetectSettings
from gateway.settings import GatewaySettings
from hepar.core.settings import _COMPONENT_PREFIXES, _TOOL_VARIABLES, load_settings
from study_service.settings import StudySettings
from triton_runtime.settings import TritonSettings

SETTINGS = (AuthSettings, ClassifySettings, DetectSettings, GatewaySettings, StudySettings, TritonSettings)


@pytest.mark.parametrize(
    ("variable", "nearest"),
    [
        ("HEPAR_GATEWAY_PROT", "HEPAR_GATEWAY_PORT"),
        ("HEPAR_GATWAY_PORT", "HEPAR_GATEWAY_PORT"),
        ("HEPAR_GATEWAY_ADRESS_PER_MINUTE", "HEPAR_GATEWAY_ADDRESS_PER_MINUTE"),
        ("HEPAR_PASWORD", "HEPAR_PASSWORD"),
        ("hepar_gateway_prot", "HEPAR_GATEWAY_PORT"),
    ],
)
def test_unknown_variable_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], variable: str, nearest: str
) -> None:
    monkeypatch.setenv(variable, "secret value")
    with pytest.raises(SystemExit) as stop:
        load_settings(GatewaySettings)
    assert stop.value.code == 2
    message = capsys.readouterr().err
    assert f"{variable.upper()}: there is no such variable; the nearest known one is {nearest}\n" == message


@pytest.mark.parametrize("settings", SETTINGS)
def test_variables_of_other_components_and_tools_are_accepted(
    monkeypatch: pytest.MonkeyPatch, settings: type[BaseSettings]
) -> None:
    for prefix in _COMPONENT_PREFIXES:
        if prefix != settings.model_config.get("env_prefix"):
            monkeypatch.setenv(f"{prefix}PORT", "1")
    for name in _TOOL_VARIABLES:
        monkeypatch.setenv(name, "1")
    load_settings(settings)


def test_every_component_has_a_prefix_that_the_check_knows() -> None:
    own = {settings.model_config.get("env_prefix") for settings in SETTINGS}
    assert own == set(_COMPONENT_PREFIXES)


def test_every_tool_variable_is_still_in_use() -> None:
    listed = ["git", "grep", "-hoE", "HEPAR_[A-Z_]+", "--", ".", ":!hepar/core/settings.py", ":!docs", ":!tests"]
    found = subprocess.run(listed, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]).stdout
    assert set(re.findall(r"HEPAR_[A-Z_]+", found)) >= _TOOL_VARIABLES


@pytest.mark.parametrize(
    "module", ["gateway", "auth_service", "classify_service", "detect_service", "triton_runtime", "local_stack run"]
)
def test_every_process_refuses_a_misspelt_variable(module: str, tmp_path: Path) -> None:
    environment = os.environ | {"HEPAR_GATWAY_PORT": "1", "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-m", *module.split()]
    ended = subprocess.run(
        command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    assert ended.returncode == 2
    assert ended.stderr.startswith("HEPAR_GATWAY_PORT: there is no such variable; the nearest known one is HEPAR_")
