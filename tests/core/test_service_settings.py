"""Settings of a service: variables, files with secrets, and what production refuses."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import Field

from hepar.core.settings import ServiceSettings, load_settings


def test_an_invalid_setting_stops_the_start_with_its_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Settings(ServiceSettings):
        model_config = ServiceSettings.model_config | {"env_prefix": "HEPAR_TEST_"}

    monkeypatch.setenv("HEPAR_TEST_PORT", "99999")
    with pytest.raises(SystemExit) as stop:
        load_settings(Settings)
    assert stop.value.code == 2
    assert "HEPAR_TEST_PORT: Input should be less than or equal to 65535" in capsys.readouterr().err
    monkeypatch.setenv("HEPAR_TEST_PORT", "1234")
    assert load_settings(Settings).port == 1234


def test_an_invalid_secret_is_named_but_not_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Settings(ServiceSettings):
        model_config = ServiceSettings.model_config | {"env_prefix": "HEPAR_TEST_"}
        database_url: str = Field(default="sqlite:", pattern="^sqlite:", repr=False)

    monkeypatch.setenv("HEPAR_TEST_DATABASE_URL", "mysql://hepar:hunter2@db")
    with pytest.raises(SystemExit):
        load_settings(Settings)
    said = capsys.readouterr().err
    assert "HEPAR_TEST_DATABASE_URL: String should match pattern" in said
    assert "hunter2" not in said


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [("LOG_LEVEL", "DEBUG", "no debug logs"), ("DOCS", "true", "no documentation pages")],
)
def test_production_refuses_development_settings(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], variable: str, value: str, said: str
) -> None:
    class Settings(ServiceSettings):
        model_config = ServiceSettings.model_config | {"env_prefix": "HEPAR_TEST_"}

    monkeypatch.setenv("HEPAR_TEST_PRODUCTION", "true")
    monkeypatch.setenv("HEPAR_TEST_DOCS", "false")
    assert load_settings(Settings).production
    monkeypatch.setenv(f"HEPAR_TEST_{variable}", value)
    with pytest.raises(SystemExit):
        load_settings(Settings)
    assert said in capsys.readouterr().err


def test_secrets_are_read_from_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Settings(ServiceSettings):
        model_config = ServiceSettings.model_config | {"env_prefix": "HEPAR_TEST_"}

    (tmp_path / "hepar_test_port").write_text("4321")
    monkeypatch.setattr("hepar.core.settings.SECRETS_FOLDER", tmp_path)
    assert load_settings(Settings).port == 4321
