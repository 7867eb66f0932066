"""Clients of classify_service and detect_service in this process, with a token."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI
from fastapi.testclient import TestClient

from classify_service.app import create_app as create_classify
from classify_service.settings import ClassifySettings
from detect_service.app import create_app as create_detect
from detect_service.settings import DetectSettings
from tests.support.tokens import TokenAuthority


class ModelServices:
    """Makes services that accept the tokens of one authority and, by default, call one Triton."""

    def __init__(self, authority: TokenAuthority, triton: str) -> None:
        self.authority = authority
        self._triton = triton

    def classify_settings(self, repository: Path, **settings: object) -> ClassifySettings:
        return ClassifySettings.model_validate(self._given(repository) | settings)

    def detect_settings(self, repository: Path, **settings: object) -> DetectSettings:
        return DetectSettings.model_validate(self._given(repository) | settings)

    def classify(self, repository: Path, **settings: object) -> TestClient:
        return self._client(create_classify(self.classify_settings(repository, **settings)))

    def detect(self, repository: Path, **settings: object) -> TestClient:
        return self._client(create_detect(self.detect_settings(repository, **settings)))

    def _given(self, repository: Path) -> dict[str, object]:
        return {"triton": self._triton, "auth_url": self.authority.url, "model_repository": repository}

    def _client(self, app: FastAPI) -> TestClient:
        return TestClient(app, base_url="http://127.0.0.1", headers=self.authority.bearer())
