"""What openapi-python-client generated, put to use: prints the report that test_generated_clients.py expects."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from hepar_openapi_python_client import AuthenticatedClient, Client
from hepar_openapi_python_client.api.account import sign_up
from hepar_openapi_python_client.api.analyses import classify
from hepar_openapi_python_client.api.batches import analysis_batch
from hepar_openapi_python_client.api.models import models
from hepar_openapi_python_client.api.tokens import create_token
from hepar_openapi_python_client.models import (
    AccessToken,
    Account,
    AnalysisBatch,
    AnalysisBatchBody,
    Classification,
    ClassifyBody,
    ClassifyVote,
    ModelList,
    Problem,
    SignUp,
    TokenRequest,
)
from hepar_openapi_python_client.types import File


def report(url: str, email: str, password: str, image: Path, broken: Path) -> dict[str, Any]:
    anonymous = Client(url)
    account = sign_up.sync(client=anonymous, body=SignUp(email, password))
    assert isinstance(account, Account)
    token = create_token.sync(client=anonymous, body=TokenRequest(username=email, password=password))
    assert isinstance(token, AccessToken)
    client = AuthenticatedClient(url, token.access_token)
    with image.open("rb") as file:
        answer = classify.sync(
            client=client,
            body=ClassifyBody(File(file, "slice.png", "image/png")),
            vote=ClassifyVote.MAJORITY_VOTE,
            classifiers=["classify_tiny"],
            explain=True,
            x_hepar_timeout_ms=30_000,
        )
    assert isinstance(answer, Classification)
    assert answer.explanation
    with image.open("rb") as first, broken.open("rb") as second:
        files = [File(file, path.name, "image/png") for file, path in ((first, image), (second, broken))]
        batch = analysis_batch.sync(client=client, body=AnalysisBatchBody(files))
    assert isinstance(batch, AnalysisBatch)
    with broken.open("rb") as file:
        problem = classify.sync(client=client, body=ClassifyBody(File(file, "slice.png", "image/png")))
    assert isinstance(problem, Problem)
    known = models.sync(client=client)
    assert isinstance(known, ModelList)
    return {
        "account": account.email,
        "label": answer.label,
        "method": answer.method,
        "probabilities": answer.probabilities.to_dict(),
        "overlay_png": answer.explanation.overlay_png,
        "batch": [
            part.type_ if isinstance(part, Problem) else len(part.boxes)
            for part in (item.detection for item in batch.items)
        ],
        "problem": [problem.status, problem.type_],
        "models": [model.card.name for model in known.models],
    }


if __name__ == "__main__":
    url, email, password, *files = sys.argv[1:]
    print(json.dumps(report(url, email, password, *map(Path, files))))
