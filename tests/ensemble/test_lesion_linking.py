"""Linking of boxes: by hand, as properties, and compared with connected components of a graph."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hepar.contracts.lesions import SliceBox
from hepar.ensemble.lesion_linking import LinkedBoxes, link_boxes
from tests.support.volumes import box

SQUARE = (100, 100, 120, 120)


def column(slices: Sequence[int], corners: Sequence[float] = SQUARE, score: float = 0.8) -> list[SliceBox]:
    return [box(index, corners, score) for index in slices]


def slices_of(linked: Sequence[LinkedBoxes]) -> list[list[int]]:
    return [[found.slice for found in lesion.boxes] for lesion in linked]


@pytest.mark.parametrize("spacing_mm", [1.0, 2.5, 5.0, 10.0])
def test_one_missing_slice_never_splits_a_lesion(spacing_mm: float) -> None:
    for missing in range(1, 6):
        slices = [index for index in range(7) if index != missing]
        assert slices_of(link_boxes(column(slices), spacing_mm)) == [slices]


@given(st.floats(0.5, 10), st.integers(0, 30))
def test_missing_slices_split_above_ten_millimetres_only(spacing_mm: float, missing: int) -> None:
    boxes = [*column([0, 1, 2]), *column([3 + missing, 4 + missing])]
    gap_mm = missing * spacing_mm
    if abs(gap_mm - 10) < 1e-3:
        return
    assert len(link_boxes(boxes, spacing_mm)) == (1 if gap_mm < 10 else 2)


def test_a_gap_of_exactly_ten_millimetres_is_bridged() -> None:
    assert len(link_boxes(column([0, 3]), 5.0)) == 1
    assert len(link_boxes(column([0, 4]), 5.0)) == 2
    assert len(link_boxes(column([0, 101]), 0.1)) == 1


def test_neighbouring_slices_are_linked_whatever_their_distance() -> None:
    assert len(link_boxes(column([0, 1, 2]), 15.0)) == 1
    assert len(link_boxes(column([0, 2]), 15.0)) == 2


def test_boxes_that_do_not_overlap_are_different_lesions() -> None:
    boxes = [*column(range(4)), *column(range(4), (200, 100, 220, 120))]
    assert slices_of(link_boxes(boxes, 5.0)) == [[0, 1, 2, 3], [0, 1, 2, 3]]


def test_the_smaller_box_must_lie_in_the_other_one_by_half() -> None:
    assert len(link_boxes([box(0, (0, 0, 20, 20)), box(1, (10, 0, 30, 20))], 5.0)) == 1
    assert len(link_boxes([box(0, (0, 0, 20, 20)), box(1, (11, 0, 31, 20))], 5.0)) == 2
    small_cap_of_a_large_lesion = [box(0, (0, 0, 80, 80)), box(1, (40, 40, 46, 46))]
    assert len(link_boxes(small_cap_of_a_large_lesion, 5.0)) == 1


def test_one_false_box_over_two_lesions_does_not_join_them() -> None:
    """A large false box over two lesions joins the one that it covers best, not both."""
    left, right = column([0, 1, 3, 4], (0, 0, 20, 20)), column([0, 1, 3, 4], (30, 0, 48, 20))
    linked = link_boxes([*left, *right, box(2, (0, 0, 48, 20))], 5.0)
    assert len(linked) == 2
    assert all(len({found.slice for found in lesion.boxes}) == len(lesion.boxes) for lesion in linked)


def test_boxes_of_one_slice_that_cover_each_other_are_one() -> None:
    """Fused boxes differ in their label. Corners: mean by score; score and label: of the best."""
    (lesion,) = link_boxes([box(3, (0, 0, 20, 20), 0.6), box(3, (3, 0, 23, 20), 0.3, "cholangiocarcinoma")], 5.0)
    (merged,) = lesion.boxes
    assert (merged.x_min, merged.x_max, merged.score, merged.label) == (1, 21, 0.6, "metastasis")
    assert len(lesion.members) == 2


def test_the_score_is_discounted_for_missing_slices_and_weighted_by_area() -> None:
    """Areas 400 and 100, scores 0.9 and 0.4; two missing slices of mean area 250 and score 0."""
    whole = LinkedBoxes((box(0, (0, 0, 20, 20), 0.9), box(1, (0, 0, 10, 10), 0.4)), ())
    assert whole.score == pytest.approx((400 * 0.9 + 100 * 0.4) / 500)
    gaps = LinkedBoxes((box(0, (0, 0, 20, 20), 0.9), box(3, (0, 0, 10, 10), 0.4)), ())
    assert gaps.missing_slices == 2
    assert gaps.score == pytest.approx((400 * 0.9 + 100 * 0.4) / 1000)


def test_no_boxes_are_no_lesions() -> None:
    assert link_boxes([], 5.0) == []


@st.composite
def some_boxes(draw: st.DrawFn) -> list[SliceBox]:
    rows = draw(
        st.lists(
            st.tuples(
                st.integers(0, 6), st.integers(0, 30), st.integers(0, 30), st.integers(4, 20), st.integers(4, 20)
            ),
            max_size=14,
        )
    )
    labels = draw(st.lists(st.sampled_from(["metastasis", "cholangiocarcinoma"]), min_size=14, max_size=14))
    scores = draw(st.lists(st.floats(0.1, 1), min_size=14, max_size=14))
    return [
        box(index, (x, y, x + width, y + height), score, label)
        for (index, x, y, width, height), label, score in zip(rows, labels, scores, strict=False)
    ]


@given(some_boxes(), st.randoms(use_true_random=False))
def test_the_order_of_the_boxes_does_not_matter(boxes: list[SliceBox], random: Random) -> None:
    shuffled = list(boxes)
    random.shuffle(shuffled)
    assert link_boxes(shuffled, 5.0) == link_boxes(boxes, 5.0)


@given(some_boxes())
def test_every_box_belongs_to_exactly_one_lesion(boxes: list[SliceBox]) -> None:
    members = [member for lesion in link_boxes(boxes, 5.0) for member in lesion.members]
    assert sorted(map(repr, members)) == sorted(map(repr, boxes))


@given(some_boxes(), st.integers(1, 9))
def test_boxes_shifted_by_slices_give_the_same_lesions(boxes: list[SliceBox], by: int) -> None:
    shifted = [item.model_copy(update={"slice": item.slice + by}) for item in boxes]
    assert [[index - by for index in slices] for slices in slices_of(link_boxes(shifted, 5.0))] == slices_of(
        link_boxes(boxes, 5.0)
    )


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 12)), unique=True, max_size=30))
def test_apart_columns_are_linked_as_the_components_of_a_graph(cells: list[tuple[int, int]]) -> None:
    """Oracle: columns that do not touch, split where two slices are more than 10 mm apart; counted independently."""
    boxes = [box(index, (50 * place, 0, 50 * place + 20, 20)) for place, index in cells]
    expected = 0
    for place in range(4):
        slices = sorted(index for column_place, index in cells if column_place == place)
        expected += sum(1 for position, index in enumerate(slices) if position == 0 or index - slices[position - 1] > 3)
    assert len(link_boxes(boxes, 5.0)) == expected


def test_of_two_boxes_the_one_that_overlaps_most_is_linked() -> None:
    """Slice 1 has two boxes that both lie half or more in that of slice 0."""
    shifted, better = box(1, (6, 0, 26, 20)), box(1, (22, 0, 40, 20))
    first = box(0, (14, 0, 40, 20))
    linked = link_boxes([first, shifted, better], 5.0)
    assert [lesion.boxes for lesion in linked] == [(first, better), (shifted,)]
