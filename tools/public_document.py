"""`python -m tools.public_document`: writes gateway/openapi.json and docs/problems.md from the services' code."""

from __future__ import annotations

import json
from pathlib import Path

from auth_service.app import create_app as create_auth
from auth_service.settings import AuthSettings
from classify_service.app import create_app as create_classify
from classify_service.settings import ClassifySettings
from detect_service.app import create_app as create_detect
from detect_service.settings import DetectSettings
from gateway.app import create_app as create_gateway
from gateway.openapi import compose
from gateway.settings import GatewaySettings
from hepar.web.docs_pages import problems_page
from study_service.app import create_app as create_study
from study_service.settings import StudySettings

REPOSITORY = Path(__file__).parents[1]


def texts() -> dict[str, str]:
    """The content of each generated file, by its path in the repository."""
    services = (
        create_auth(AuthSettings()),
        create_classify(ClassifySettings()),
        create_detect(DetectSettings()),
        create_study(StudySettings()),
    )
    own = create_gateway(GatewaySettings(), document={"paths": {}})
    own.openapi_schema = None
    document = compose(own.openapi(), [service.openapi() for service in services])
    return {
        "gateway/openapi.json": json.dumps(document, indent=1, ensure_ascii=False) + "\n",
        "docs/problems.md": problems_page(),
    }


if __name__ == "__main__":
    for path, text in texts().items():
        (REPOSITORY / path).write_text(text)
        print(path)  # noqa: T201
