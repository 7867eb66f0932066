"""Examples for the public document, made of the documents themselves: one that does not fit does not start."""

from __future__ import annotations

import datetime
from typing import Any

from hepar.contracts import accounts, analyses, cards, models
from hepar.contracts.base import Document
from hepar.contracts.problem_types import PREFIX, ProblemType
from hepar.contracts.problems import Problem

_ID, _OTHER_ID = "0f8b7a6c5d4e3f2a1b0c9d8e7f6a5b4c", "9c1d2e3f4a5b6c7d8e9f0a1b2c3d4e5f"
_REQUEST = "3b1f7b1e6a1a4b0f9d5c2e8a7f604d11"
_NOON = datetime.datetime(2026, 11, 25, 12, 0, tzinfo=datetime.UTC)
_LABELS = {"cholangiocarcinoma": 0.12, "metastasis": 0.81, "no_tumour": 0.07}
_IMAGE = analyses.ImageFacts(width=512, height=512, format="DICOM", pixel_spacing_mm=(0.78, 0.78), warnings=[])
_SCOPE = analyses.Scope(model="check_input", version="1", in_scope=True, reason=None, typicality=0.97, threshold=0.5)
_ACCOUNT = accounts.Account(
    id=_ID,
    email="ada@example.org",
    name="Ada",
    role="researcher",
    status="active",
    second_factor=False,
    created_at=_NOON,
)
_SESSION = accounts.Session(id=_ID, created_at=_NOON, last_used_at=_NOON, expires_at=_NOON, current=True)
_SIGN_IN = accounts.SignIn(at=_NOON, event="signed_in", origin="192.0.2.7", reason=None)
_CLIENT = accounts.Client(
    id=_ID,
    name="PACS of the radiology department",
    scopes=["analyses"],
    active=True,
    created_at=_NOON,
    secrets=[accounts.ClientSecret(id=_OTHER_ID, secret="shown-once", created_at=_NOON, expires_at=None)],  # noqa: S106
)
_CLASSIFICATION = analyses.Classification(
    outcome="decided",
    label="metastasis",
    most_probable_label="metastasis",
    probability=0.81,
    probabilities=_LABELS,
    scope=_SCOPE,
    method="soft_vote",
    agreeing_models=1,
    voting_models=1,
    entropy=0.6,
    mutual_information=0.03,
    votes=[
        analyses.ModelVote(
            model="classify_resnet", version="1", label="metastasis", probabilities=_LABELS, duration_ms=9.4
        )
    ],
    missing_models=[],
    image=_IMAGE,
    request_id=_REQUEST,
)
_DETECTION = analyses.Detection(
    boxes=[
        analyses.Box(
            x_min=141.0,
            y_min=203.5,
            x_max=190.0,
            y_max=248.0,
            label="metastasis",
            score=0.83,
            detectors=["detect_faster_rcnn", "detect_yolov5"],
            size_px=(49.0, 44.5),
            size_mm=(38.2, 34.7),
            longest_diameter_px=49.0,
            longest_diameter_mm=38.2,
        )
    ],
    scope=_SCOPE,
    method="weighted_box_fusion",
    detectors=[analyses.DetectorReport(model="detect_yolov5", version="1", box_count=1, duration_ms=14.2)],
    missing_models=[],
    image=_IMAGE,
    request_id=_REQUEST,
)
_ANALYSIS = analyses.Analysis(classification=_CLASSIFICATION, detection=_DETECTION, request_id=_REQUEST)
_MODEL = models.ServedModel(
    card=cards.ModelCard(
        name="classify_resnet",
        task="classification",
        architecture="ResNet",
        size="compact",
        labels=["cholangiocarcinoma", "metastasis", "no_tumour"],
        input=cards.InputSize(height=256, width=256),
        window=cards.Window(low_hu=0, high_hu=250),
        temperature=1.1,
        decision_threshold=0.5,
        metrics={"accuracy": cards.Metric(value=0.5, low=0.4, high=0.6)},
        training_data="an example, not a real card",
        data_sha256="0" * 64,
        code_sha256="0" * 64,
        licence="AGPL-3.0-or-later",
        date=_NOON.date(),
        limits=["Research software, not a medical device: not for diagnosis or treatment decisions."],
    ),
    serving=True,
)
_FORMS: dict[str, dict[str, str]] = {
    "create_token form": {
        "grant_type": "password",
        "username": "ada@example.org",
        "password": "correct horse battery staple",
    },
    "revoke_token form": {"token": "the refresh token"},
}
_DOCUMENTS: dict[str, Document] = {
    "SignUp": accounts.SignUp(email="ada@example.org", password="correct horse battery staple", name="Ada"),  # noqa: S106
    "ProfileChange": accounts.ProfileChange(name="Ada Lovelace"),
    "Confirmation": accounts.Confirmation(password="correct horse battery staple", code="123456"),  # noqa: S106
    "PasswordChange": accounts.PasswordChange(
        current_password="correct horse battery staple",  # noqa: S106
        new_password="another long phrase of mine",  # noqa: S106
    ),
    "SecondFactorCode": accounts.SecondFactorCode(code="123456"),
    "RoleChange": accounts.RoleChange(role="clinician"),
    "ClientRegistration": accounts.ClientRegistration(name="PACS of the radiology department", scopes=["analyses"]),
    "classify answer": _CLASSIFICATION,
    "detect answer": _DETECTION,
    "analysis answer": _ANALYSIS,
    "classify_batch answer": analyses.ClassificationBatch(items=[_CLASSIFICATION], request_id=_REQUEST),
    "detect_batch answer": analyses.DetectionBatch(items=[_DETECTION], request_id=_REQUEST),
    "analysis_batch answer": analyses.AnalysisBatch(items=[_ANALYSIS], request_id=_REQUEST),
    "models answer": models.ModelList(models=[_MODEL]),
    **dict.fromkeys(
        (
            "sign_up answer",
            "get_me answer",
            "change_me answer",
            "get_user answer",
            "approve_user answer",
            "change_role answer",
            "deactivate_user answer",
            "reactivate_user answer",
        ),
        _ACCOUNT,
    ),
    "list_users answer": accounts.Page[accounts.Account](items=[_ACCOUNT]),
    "begin_second_factor answer": accounts.SecondFactor(
        secret="JBSWY3DPEHPK3PXP",  # noqa: S106
        uri="otpauth://totp/Hepar:ada@example.org?secret=JBSWY3DPEHPK3PXP&issuer=Hepar",
    ),
    "confirm_second_factor answer": accounts.RecoveryCodes(codes=["k3v9-8q2m-x7td", "p5wz-1c6n-h4rb"]),
    "renew_recovery_codes answer": accounts.RecoveryCodes(codes=["k3v9-8q2m-x7td", "p5wz-1c6n-h4rb"]),
    "list_sessions answer": accounts.Page[accounts.Session](items=[_SESSION]),
    "list_sign_ins answer": accounts.Page[accounts.SignIn](items=[_SIGN_IN]),
    "list_sign_ins_of_user answer": accounts.Page[accounts.SignIn](items=[_SIGN_IN]),
    "create_token answer": accounts.AccessToken(
        access_token="eyJhbGciOiJFUzI1NiIs...",  # noqa: S106
        expires_in=600,
        scope="account analyses models",
        refresh_token="v9Jc...",  # noqa: S106
    ),
    "list_audit answer": accounts.Page[accounts.AuditEntry](
        items=[
            accounts.AuditEntry(
                number=1,
                at=_NOON,
                event="signed_in",
                actor=_ID,
                subject=_ID,
                origin="192.0.2.7",
                details={},
                hash="0" * 64,
            )
        ]
    ),
    "register_client answer": _CLIENT,
    "add_client_secret answer": _CLIENT,
    "list_clients answer": accounts.Page[accounts.Client](items=[_CLIENT]),
    "get_keys answer": accounts.PublicKeys(
        keys=[
            accounts.PublicKey(
                kty="EC",
                crv="P-256",
                x="f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
                y="x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
                kid="2026-11",
                alg="ES256",
                use="sig",
            )
        ]
    ),
    "get_authorization_server answer": accounts.AuthorizationServer(
        issuer="hepar-auth",
        token_endpoint="https://hepar.example.org/v1/token",  # noqa: S106
        revocation_endpoint="https://hepar.example.org/v1/token/revoke",
        jwks_uri="https://hepar.example.org/.well-known/jwks.json",
        scopes_supported=["account", "analyses"],
        grant_types_supported=["password", "refresh_token", "client_credentials"],
        response_types_supported=[],
        token_endpoint_auth_methods_supported=["client_secret_basic", "client_secret_post"],
        revocation_endpoint_auth_methods_supported=["none"],
    ),
}
EXAMPLES: dict[str, Any] = {name: item.model_dump(mode="json") for name, item in _DOCUMENTS.items()} | _FORMS
"""Bodies by their document's name, forms and answers by their operation's."""


def problem_example(name: str, kind: ProblemType) -> dict[str, Any]:
    """Of one kind, with its first status."""
    problem = Problem(
        type=PREFIX + name, title=kind.title, status=kind.statuses[0], detail=kind.title.lower(), request_id=_REQUEST
    )
    return problem.model_dump(exclude_none=True)
