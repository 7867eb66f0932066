"""The figures of the README are those of the shipped networks."""

from __future__ import annotations

import re
from pathlib import Path

from hepar.contracts.cards import ModelCard

REPOSITORY = Path(__file__).parents[2]
_FIGURE = re.compile(r"\d\.\d{3} \(\d\.\d{3} to \d\.\d{3}\)")
_METRICS = {
    "classify_resnet": ("accuracy", "tumour_type_accuracy", "size_matched_type_accuracy"),
    "detect_yolov5": ("map_50", "real_lesion_sensitivity"),
}


def test_the_figures_of_the_readme_are_on_the_cards() -> None:
    expected = []
    for name, metrics in _METRICS.items():
        card = ModelCard.model_validate_json((REPOSITORY / "triton_models" / name / "card.json").read_bytes())
        assert card.ensemble is not None
        served = card.ensemble.methods[card.ensemble.default].metrics
        for metric in metrics:
            figure = served[metric]
            expected.append(f"{figure.value:.3f} ({figure.low:.3f} to {figure.high:.3f})")
    assert _FIGURE.findall((REPOSITORY / "README.md").read_text()) == expected
