"""The summary of a result in the list of studies."""

from __future__ import annotations

import pytest

from hepar.contracts.base import example_of
from hepar.contracts.study_results import StudyResult
from study_service.result_document import summary_of

EXAMPLE = StudyResult.model_validate(example_of(StudyResult))


@pytest.mark.parametrize(
    ("changes", "probability"),
    [
        ({"label": "metastasis", "type_probabilities": {"metastasis": 0.7, "cholangiocarcinoma": 0.3}}, 0.7),
        ({"label": None, "outcome": "type_undecided", "tumour_probability": 0.9}, 0.9),
        ({"label": "no_tumour", "tumour": False, "tumour_probability": 0.07, "type_probabilities": {}}, 0.93),
        ({"label": None, "outcome": "out_of_scope", "tumour_probability": None, "type_probabilities": {}}, None),
    ],
)
def test_the_probability_is_that_of_the_label(changes: dict[str, object], probability: float | None) -> None:
    result = StudyResult.model_validate(EXAMPLE.model_dump() | changes)
    summary = summary_of(result)
    assert (summary.label, summary.probability) == (changes["label"], probability)
