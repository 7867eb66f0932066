from __future__ import annotations

import math
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hepar.contracts.cards import Ensemble, FusionMethod
from hepar.ensemble.fusion import (
    FoundBox,
    FusedBox,
    FusionParameters,
    fuse,
    intersection_over_union,
    non_maximum_suppression,
    soft_non_maximum_suppression,
    weighted_box_fusion,
)


def parameters_of(method: FusionMethod, weights: dict[str, float]) -> FusionParameters:
    if method == "soft_non_maximum_suppression":
        return FusionParameters(method, weights, sigma=0.5)
    return FusionParameters(method, weights, overlap=0.5)


def test_intersection_over_union_is_zero_for_disjoint_boxes() -> None:
    assert intersection_over_union((0, 0, 10, 10), (5, 0, 15, 10)) == pytest.approx(1 / 3)
    assert intersection_over_union((0, 0, 10, 10), (10, 0, 20, 10)) == 0
    assert intersection_over_union((0, 0, 10, 10), (0, 20, 10, 30)) == 0


def test_intersection_over_union_of_boxes_with_offsets_of_all_four_sides() -> None:
    """Areas 12 x 8 and 6 x 10, and an intersection of 5 x 6."""
    one, other = (2, 3, 14, 11), (9, 5, 15, 15)
    assert intersection_over_union(one, other) == intersection_over_union(other, one) == pytest.approx(30 / 126)


def test_intersection_over_union_of_boxes_without_area_is_zero_and_small_boxes_have_one() -> None:
    assert intersection_over_union((3, 0, 3, 10), (3, 0, 3, 10)) == 0
    assert intersection_over_union((0, 4, 10, 4), (0, 4, 10, 4)) == 0
    assert intersection_over_union((3, 3, 3.5, 3.5), (3, 3, 3.5, 3.25)) == pytest.approx(0.5)


def test_boxes_of_two_detectors_are_averaged_by_score() -> None:
    boxes = [
        FoundBox("a", (0, 0, 10, 10), 0.9, "metastasis"),
        FoundBox("b", (0, 0, 13, 10), 0.3, "metastasis"),
    ]
    (fused,) = weighted_box_fusion(boxes, detectors=2, overlap=0.55)
    assert fused.corners == pytest.approx((0, 0, (0.9 * 10 + 0.3 * 13) / 1.2, 10))
    assert fused.score == pytest.approx(0.6)
    assert fused.detectors == ("a", "b")


def test_a_box_of_one_of_three_detectors_gets_a_third_of_its_score() -> None:
    (fused,) = weighted_box_fusion([FoundBox("a", (0, 0, 10, 10), 0.9, "metastasis")], detectors=3, overlap=0.55)
    assert fused.score == pytest.approx(0.3)


def test_labels_and_disjoint_boxes_are_not_fused_and_the_best_is_first() -> None:
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


def test_fusing_no_boxes_returns_no_boxes() -> None:
    assert weighted_box_fusion([], detectors=1, overlap=0.5) == []


def test_suppression_keeps_the_best_box_and_adds_the_other_detectors() -> None:
    boxes = [
        FoundBox("a", (0, 0, 10, 10), 0.6, "metastasis"),
        FoundBox("b", (1, 0, 11, 10), 0.9, "metastasis"),
        FoundBox("c", (0, 0, 10, 10), 0.5, "cholangiocarcinoma"),
        FoundBox("a", (50, 50, 60, 60), 0.3, "metastasis"),
    ]
    kept = non_maximum_suppression(boxes, 0.5)
    assert [(box.corners, box.score, box.detectors) for box in kept] == [
        ((1, 0, 11, 10), 0.9, ("a", "b")),
        ((0, 0, 10, 10), 0.5, ("c",)),
        ((50, 50, 60, 60), 0.3, ("a",)),
    ]


def test_soft_suppression_reduces_scores_by_a_gaussian_of_the_overlap() -> None:
    boxes = [FoundBox("a", (0, 0, 10, 10), 0.9, "metastasis"), FoundBox("b", (0, 0, 10, 5), 0.8, "metastasis")]
    best, other = soft_non_maximum_suppression(boxes, sigma=0.5)
    assert best.score == 0.9
    assert other.score == pytest.approx(0.8 * math.exp(-(0.5**2) / 0.5))
    assert soft_non_maximum_suppression(boxes, sigma=0.5, lowest_score=0.6) == [best]


@pytest.mark.parametrize("method", get_args(FusionMethod))
@given(
    st.lists(
        st.tuples(*[st.floats(0, 50)] * 2, *[st.floats(1, 50)] * 2, st.floats(0.01, 1), st.sampled_from("abc")),
        max_size=12,
    )
)
def test_fused_scores_are_sorted_and_not_higher_than_the_best(method: FusionMethod, rows: list[Any]) -> None:
    boxes = [FoundBox(by, (x, y, x + w, y + h), score, "metastasis") for x, y, w, h, score, by in rows]
    fused = fuse(boxes, "abc", parameters_of(method, dict.fromkeys("abc", 1.0)))
    scores = [box.score for box in fused]
    assert scores == sorted(scores, reverse=True)
    assert len(fused) <= len(boxes)
    assert max(scores, default=0) <= max((box.score for box in boxes), default=0) + 1e-9


def test_the_weight_of_a_detector_scales_its_boxes() -> None:
    boxes = [
        FoundBox("trusted", (0, 0, 10, 10), 0.5, "metastasis"),
        FoundBox("doubted", (30, 30, 40, 40), 0.5, "metastasis"),
    ]
    weights = {"trusted": 3.0, "doubted": 1.0}
    first, second = fuse(boxes, ["trusted", "doubted"], parameters_of("weighted_box_fusion", weights))
    assert first.detectors == ("trusted",)
    assert first.score == pytest.approx(0.5 * 1.5 / 2)
    assert second.detectors == ("doubted",)
    assert second.score == pytest.approx(0.5 * 0.5 / 2)
    (alone,) = fuse(boxes[1:], ["doubted"], parameters_of("weighted_box_fusion", weights))
    assert alone.score == pytest.approx(0.5), "only ratios among those that answered count"


def test_a_fused_score_is_at_most_one() -> None:
    """The mean score is 1.4 here: three boxes of a detector with the relative weight 1.8, one of one with 0.2."""
    boxes = [FoundBox("trusted", (0, 0, 9, 9), 1.0, "metastasis")] * 3
    boxes.append(FoundBox("doubted", (0, 0, 9, 9), 1.0, "metastasis"))
    (box,) = fuse(boxes, ["trusted", "doubted"], parameters_of("weighted_box_fusion", {"trusted": 9, "doubted": 1}))
    assert box.score == 1


def test_a_weight_of_zero_leaves_a_detector_out_unless_all_are_zero() -> None:
    boxes = [FoundBox("a", (0, 0, 10, 10), 0.5, "metastasis"), FoundBox("b", (0, 0, 20, 10), 0.9, "metastasis")]
    (box,) = fuse(boxes, ["a", "b"], parameters_of("weighted_box_fusion", {"a": 0.5, "b": 0}))
    assert (box.corners, box.detectors) == ((0, 0, 10, 10), ("a",))
    assert box.score == pytest.approx(0.5)
    (both,) = fuse(boxes, ["a", "b"], FusionParameters("weighted_box_fusion", {"a": 0, "b": 0}, overlap=0.4))
    assert both.detectors == ("a", "b")
    assert both.score == pytest.approx(0.7)


def test_two_boxes_of_one_detector_count_as_one_detector() -> None:
    boxes = [FoundBox("a", (0, 0, 10, 10), 0.8, "metastasis"), FoundBox("a", (0, 0, 10, 9), 0.4, "metastasis")]
    (box,) = weighted_box_fusion(boxes, detectors=2, overlap=0.5)
    assert box.detectors == ("a",)
    assert box.score == pytest.approx(0.6 / 2)


def test_a_box_that_overlaps_two_clusters_equally_joins_the_one_with_the_higher_score() -> None:
    boxes = [
        FoundBox("a", (0, 0, 10, 10), 0.6, "metastasis"),
        FoundBox("b", (10, 0, 20, 10), 0.9, "metastasis"),
        FoundBox("c", (5, 0, 15, 10), 0.3, "metastasis"),
    ]
    by_detectors = {box.detectors: box for box in weighted_box_fusion(boxes, detectors=3, overlap=0.3)}
    assert set(by_detectors) == {("b", "c"), ("a",)}
    assert by_detectors["b", "c"].corners == pytest.approx((0.75 * 10 + 0.25 * 5, 0, 0.75 * 20 + 0.25 * 15, 10))
    assert by_detectors["b", "c"].score == pytest.approx(0.6 * 2 / 3)


def test_a_box_joins_the_cluster_that_it_overlaps_most() -> None:
    boxes = [
        FoundBox("a", (0, 0, 10, 10), 0.9, "metastasis"),
        FoundBox("b", (8, 0, 18, 10), 0.6, "metastasis"),
        FoundBox("c", (5, 0, 15, 10), 0.3, "metastasis"),
    ]
    by_detectors = {box.detectors: box for box in weighted_box_fusion(boxes, detectors=3, overlap=0.3)}
    assert by_detectors["b", "c"].corners == pytest.approx((7, 0, 17, 10))


@pytest.mark.parametrize("method", ["weighted_box_fusion", "non_maximum_suppression"])
def test_boxes_whose_overlap_equals_the_limit_are_kept_apart(method: FusionMethod) -> None:
    boxes = [FoundBox("a", (5, 5, 15, 15), 0.9, "metastasis"), FoundBox("b", (5, 5, 15, 10), 0.8, "metastasis")]
    assert len(fuse(boxes, ["a", "b"], parameters_of(method, {"a": 1, "b": 1}))) == 2


def test_a_suppressed_box_adds_its_detector_to_the_best_box_that_it_overlaps() -> None:
    boxes = [
        FoundBox("a", (0, 0, 10, 10), 0.9, "metastasis"),
        FoundBox("b", (4, 0, 14, 10), 0.8, "metastasis"),
        FoundBox("c", (2, 0, 12, 10), 0.7, "metastasis"),
    ]
    kept = fuse(boxes, ["a", "b", "c"], parameters_of("non_maximum_suppression", {}))
    assert [box.detectors for box in kept] == [("a", "c"), ("b",)]
    assert [box.score for box in kept] == [0.9, 0.8]


def test_soft_suppression_leaves_out_boxes_below_the_lowest_score_from_the_start() -> None:
    boxes = [FoundBox("a", (0, 0, 10, 10), 0.0009, "metastasis"), FoundBox("b", (0, 0, 10, 10), 0.001, "other")]
    (box,) = fuse(boxes, ["a", "b"], parameters_of("soft_non_maximum_suppression", {}))
    assert box == FusedBox((0, 0, 10, 10), 0.001, "other", ("b",))


def test_soft_suppression_keeps_a_box_whose_score_is_the_lowest_allowed() -> None:
    boxes = [FoundBox("a", (0, 0, 10, 10), 0.9, "metastasis"), FoundBox("b", (20, 0, 30, 10), 0.25, "metastasis")]
    assert len(soft_non_maximum_suppression(boxes, sigma=0.5, lowest_score=0.25)) == 2


def test_no_detectors_and_no_boxes_fuse_to_nothing() -> None:
    assert fuse([], [], parameters_of("weighted_box_fusion", {})) == []


def test_fusion_parameters_come_from_an_ensemble_that_fuses_boxes() -> None:
    members = {"a": 1.0}
    soft = Ensemble(
        method="soft_non_maximum_suppression", members=members, decision_threshold=0.5, sigma=0.3, metrics={}
    )
    assert FusionParameters.of(soft) == FusionParameters("soft_non_maximum_suppression", members, sigma=0.3)
    fusion = Ensemble(method="weighted_box_fusion", members=members, decision_threshold=0.5, overlap=0.4, metrics={})
    assert FusionParameters.of(fusion) == FusionParameters("weighted_box_fusion", members, overlap=0.4)
    vote = Ensemble(method="soft_vote", members=members, decision_threshold=0.5, metrics={})
    with pytest.raises(ValueError, match="soft_vote does not fuse boxes"):
        FusionParameters.of(vote)


@pytest.mark.parametrize(
    ("method", "parameter"), [("soft_non_maximum_suppression", "a sigma"), ("weighted_box_fusion", "an overlap")]
)
def test_a_fusion_without_its_parameter_is_an_error(method: FusionMethod, parameter: str) -> None:
    with pytest.raises(ValueError, match=f"^{method} needs {parameter}$"):
        fuse([], ["a"], FusionParameters(method, {"a": 1.0}))
