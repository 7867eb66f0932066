"""Where classification and detection of one image contradict each other, an analysis says so."""

from __future__ import annotations

import pytest

from gateway.analysis import combined, consistency_of
from hepar.contracts.analyses import Box, Classification, Detection
from hepar.contracts.base import example_of
from hepar.contracts.problems import Problem
from tests.support.gateway_client import DARK, NOWHERE, Surroundings, bearer, gateway


def classified(label: str | None, tumour: bool | None = True) -> Classification:
    example = Classification.model_validate(example_of(Classification))
    return example.model_copy(update={"label": label, "tumour": tumour})


def detected(*boxes: tuple[str, bool | None], in_scope: bool = True) -> Detection:
    """boxes: label and whether it lies inside the liver, highest score first."""
    example, box = Detection.model_validate(example_of(Detection)), Box.model_validate(example_of(Box))
    found = [box.model_copy(update={"label": label, "inside_liver": inside}) for label, inside in boxes]
    assert example.scope is not None
    scope = example.scope.model_copy(update={"in_scope": in_scope})
    return example.model_copy(update={"boxes": found, "scope": scope})


PROBLEM = Problem.model_validate(example_of(Problem))


@pytest.mark.parametrize(
    ("classification", "detection", "code"),
    [
        (classified("metastasis"), detected(("metastasis", True), ("cholangiocarcinoma", True)), "consistent"),
        (classified("metastasis"), detected(("cholangiocarcinoma", True), ("metastasis", True)), "other_type"),
        (classified(None), detected(("cholangiocarcinoma", None)), "consistent"),
        (classified(None), detected(), "tumour_without_box"),
        (classified("metastasis"), detected(), "tumour_without_box"),
        (classified("metastasis"), detected(("metastasis", False)), "tumour_without_box"),
        (classified("no_tumour", tumour=False), detected(), "consistent"),
        (classified("no_tumour", tumour=False), detected(("metastasis", None)), "box_without_tumour"),
        (classified("no_tumour", tumour=False), detected(("metastasis", False)), "consistent"),
        (classified(None, tumour=None), detected(("metastasis", True)), "not_comparable"),
        (classified("metastasis"), detected(in_scope=False), "not_comparable"),
        (PROBLEM, detected(("metastasis", True)), "not_comparable"),
        (classified("metastasis"), PROBLEM, "not_comparable"),
    ],
)
def test_contradictions_are_named(
    classification: Classification | Problem, detection: Detection | Problem, code: str
) -> None:
    consistency = consistency_of(classification, detection)
    assert consistency.code == code
    assert combined(classification, detection).consistency == consistency


def test_every_code_has_words_of_its_own() -> None:
    codes = ("consistent", "other_type", "tumour_without_box", "box_without_tumour", "not_comparable")
    cases: list[tuple[Classification | Problem, Detection | Problem]] = [
        (classified("metastasis"), detected(("metastasis", True))),
        (classified("metastasis"), detected(("cholangiocarcinoma", True))),
        (classified("metastasis"), detected()),
        (classified("no_tumour", tumour=False), detected(("metastasis", True))),
        (PROBLEM, detected()),
    ]
    texts = [consistency_of(*case).text for case in cases]
    assert [consistency_of(*case).code for case in cases] == list(codes)
    assert len(set(texts)) == len(codes)


def test_an_analysis_states_it_through_the_gateway(around: Surroundings) -> None:
    with gateway(around) as client:
        headers = bearer(around) | {"content-type": "image/png"}
        whole = client.post("/v1/analyses", content=DARK, headers=headers).json()
        whole_batch = client.post("/v1/analyses/batch", files={"image": ("a.png", DARK)}, headers=bearer(around)).json()
    assert whole["consistency"]["code"] == whole_batch["items"][0]["consistency"]["code"] == "consistent"
    with gateway(around, detect_url=NOWHERE) as client:
        half = client.post("/v1/analyses", content=DARK, headers=headers).json()
    assert half["consistency"]["code"] == "not_comparable"
