from __future__ import annotations

import pytest

from detect_service.fusion import FoundBox, intersection_over_union, weighted_box_fusion


def test_overlap_is_shared_over_union_and_zero_for_boxes_apart() -> None:
    assert intersection_over_union((0, 0, 10, 10), (5, 0, 15, 10)) == pytest.approx(1 / 3)
    assert intersection_over_union((0, 0, 10, 10), (10, 0, 20, 10)) == 0
    assert intersection_over_union((0, 0, 10, 10), (0, 20, 10, 30)) == 0


def test_two_detectors_that_agree_become_one_box_weighted_by_score() -> None:
    boxes = [
        FoundBox("a", (0, 0, 10, 10), 0.9, "metastasis"),
        FoundBox("b", (0, 0, 13, 10), 0.3, "metastasis"),
    ]
    (fused,) = weighted_box_fusion(boxes, detectors=2, overlap=0.55)
    assert fused.corners == pytest.approx((0, 0, (0.9 * 10 + 0.3 * 13) / 1.2, 10))
    assert fused.score == pytest.approx(0.6)
    assert fused.detectors == ("a", "b")


def test_a_box_only_one_of_three_detectors_saw_counts_a_third() -> None:
    (fused,) = weighted_box_fusion([FoundBox("a", (0, 0, 10, 10), 0.9, "metastasis")], detectors=3, overlap=0.55)
    assert fused.score == pytest.approx(0.3)


def test_labels_and_distant_boxes_are_kept_apart_and_the_best_comes_first() -> None:
    boxes = [
        FoundBox("a", (0, 0, 10, 10), 0.5, "metastasis"),
        FoundBox("b", (0, 0, 10, 10), 0.6, "cholangiocarcinoma"),
        FoundBox("a", (50, 50, 60, 60), 0.9, "metastasis"),
    ]
    fused = weighted_box_fusion(boxes, detectors=2, overlap=0.55)
    assert [(whole.label, round(whole.score, 2)) for whole in fused] == [
        ("metastasis", 0.45),
        ("cholangiocarcinoma", 0.3),
        ("metastasis", 0.25),
    ]


def test_nothing_found_fuses_to_nothing() -> None:
    assert weighted_box_fusion([], detectors=1, overlap=0.5) == []
