"""What openapi-generator generated for Python, put to use: prints the report that test_generated_clients.py expects."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from hepar_openapi_generator import (
    AccountApi,
    AnalysesApi,
    ApiClient,
    ApiException,
    BatchesApi,
    Configuration,
    ModelsApi,
    Problem,
    SignUp,
    TokensApi,
)


def report(url: str, email: str, password: str, image: Path, broken: Path) -> dict[str, Any]:
    with ApiClient(Configuration(url)) as anonymous:
        account = AccountApi(anonymous).sign_up(SignUp(email=email, password=password))
        token = TokensApi(anonymous).create_token(username=email, password=password)
    with ApiClient(Configuration(url, access_token=token.access_token)) as client:
        analyses = AnalysesApi(client)
        answer = analyses.classify(
            ("slice.png", image.read_bytes()),
            vote="majority_vote",
            classifiers=["classify_tiny"],
            explain=True,
            x_hepar_timeout_ms=30_000,
        )
        batch = BatchesApi(client).analysis_batch([(path.name, path.read_bytes()) for path in (image, broken)])
        try:
            analyses.classify(("slice.png", broken.read_bytes()))
        except ApiException as error:
            problem = error.data
        known = ModelsApi(client).models()
    parts = [item.detection.actual_instance for item in batch.items]
    return {
        "account": account.email,
        "label": answer.label,
        "method": answer.method,
        "probabilities": answer.probabilities,
        "overlay_png": answer.explanation.overlay_png,
        "batch": [part.type if isinstance(part, Problem) else len(part.boxes) for part in parts],
        "problem": [problem.status, problem.type],
        "models": [model.card.name for model in known.models],
    }


if __name__ == "__main__":
    url, email, password, *files = sys.argv[1:]
    print(json.dumps(report(url, email, password, *map(Path, files))))
