"""The gate fitted on slices whose boxes, shares and lesions are written by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tests.training.support import boxes
from training.evaluation.gate_fitting import Candidates, candidates, fitted_gate, lesion_boxes, lowest_threshold
from training.segmenter.background import Background, Kind, Masks
from training.sources import UnusableData

SIDE = 100


def slice_of(kind: Kind, *rows: tuple[float, float, tuple[int, ...]], lesions: int = 0) -> Candidates:
    """rows: score, share in the liver, and the lesions that the box overlaps."""
    hits = np.array([[lesion in hit for lesion in range(lesions)] for _, _, hit in rows], dtype=bool)
    return Candidates(
        kind,
        np.array([score for score, _, _ in rows]),
        np.array([inside for _, inside, _ in rows]),
        hits.reshape(len(rows), lesions),
    )


EMPTY = slice_of("healthy")


def test_the_lowest_threshold_has_no_more_false_boxes_than_allowed() -> None:
    """Of 40 slices, two may have a false box at 0.05. Boxes outside of the liver or on a lesion are none."""
    slices = [EMPTY] * 36 + [
        slice_of("healthy", (0.5, 0.9, ()), (0.9, 0.1, ())),
        slice_of("healthy", (0.3, 0.9, ())),
        slice_of("healthy", (0.25, 0.9, ())),
        slice_of("synthesised", (0.8, 0.9, (0,)), (0.2, 0.9, ()), lesions=1),
    ]
    assert lowest_threshold(slices, 0.3) == 0.26
    assert lowest_threshold(slices, 0.05) == 0.31
    assert lowest_threshold(slices, 0.3, allowed=0.1) == 0.02


def test_slices_with_boxes_of_real_lesions_have_no_false_boxes() -> None:
    """Not every lesion on them was boxed."""
    slices = [EMPTY, slice_of("boxed", (0.9, 0.9, ()), lesions=1)]
    assert lowest_threshold(slices, 0.3) == 0.02


def test_a_share_that_lets_lesions_at_the_edge_pass_is_preferred_unless_false_boxes_pass_too() -> None:
    at_the_edge = slice_of("boxed", (0.4, 0.32, (0,)), lesions=1)
    gallbladder = slice_of("healthy", (0.8, 0.22, ()))
    gate = fitted_gate([EMPTY] * 9 + [gallbladder, at_the_edge])
    assert 0.22 < gate.minimum_share <= 0.32
    assert gate.decision_threshold == 0.02


def test_real_and_synthesised_lesions_have_the_same_weight() -> None:
    """A small share finds the one real lesion, a larger one the ten synthesised ones: equally good."""
    real = slice_of("boxed", (0.5, 0.12, (0,)), lesions=1)
    made = [slice_of("synthesised", (0.3, 0.9, (0,)), lesions=1)] * 10
    outside = [slice_of("healthy", (0.4, 0.2, ()))] * 4
    gate = fitted_gate([EMPTY, *outside, real, *made])
    assert (gate.minimum_share, gate.decision_threshold) == (0.1, 0.41)
    gate = fitted_gate([EMPTY, *outside, *made])
    assert (gate.minimum_share, gate.decision_threshold) == (0.25, 0.02)


@pytest.mark.parametrize(("lost", "share"), [(1, 0.1), (5, 0.25)])
def test_the_smallest_share_within_one_standard_error_is_chosen(lost: int, share: float) -> None:
    """Of 20 lesions the larger share finds 16, with an error of 0.09; the smaller one finds 1 or 5 less."""
    found = [slice_of("synthesised", (0.9, 0.9, (0,)), lesions=1)] * (16 - lost)
    found += [slice_of("synthesised", (0.3, 0.9, (0,)), lesions=1)] * lost
    missed = [slice_of("synthesised", lesions=1)] * 4
    outside = [slice_of("healthy", (0.4, 0.2, ()))] * 4
    assert fitted_gate([*found, *missed, *outside]).minimum_share == pytest.approx(share)


def test_without_slices_whose_lesions_are_known_there_is_nothing_to_fit() -> None:
    with pytest.raises(UnusableData, match="no validation slice"):
        fitted_gate([slice_of("boxed", lesions=1)])


def test_candidates_hold_the_share_inside_and_the_lesions_hit() -> None:
    liver = np.zeros((SIDE, SIDE), dtype=bool)
    liver[:, :50] = True
    found = boxes((0.1, 0.1, 0.2, 0.2, 0, 0.9), (0.4, 0.4, 0.6, 0.6, 1, 0.5))
    lesions = np.array([[0.41, 0.41, 0.6, 0.6], [0.1, 0.1, 0.19, 0.2]])
    item = Background("validation", "a", "1", "msd", "boxed")
    made = candidates(item, found, liver, lesions)
    assert made.inside.tolist() == pytest.approx([1, 0.5])
    assert made.hits.tolist() == [[False, True], [True, False]]
    empty = candidates(item, boxes(), liver, lesions)
    assert (empty.hits.shape, len(empty.inside)) == ((0, 2), 0)


def test_lesions_are_the_boxes_of_the_reviewer_or_those_around_the_regions_of_the_mask() -> None:
    mask = np.zeros((SIDE, SIDE), dtype=bool)
    mask[20:30, 40:60] = True
    masks = Masks(np.zeros((SIDE, SIDE), dtype=np.uint8), mask, mask)
    reviewed = Background("validation", "a", "1", "msd", "boxed", ((1, 2, 11, 22),), (True,))
    made = Background("validation", "b", "1", "msd", "synthesised")
    assert lesion_boxes(reviewed, masks).tolist() == [[0.01, 0.02, 0.11, 0.22]]
    assert lesion_boxes(made, masks).tolist() == [[0.4, 0.2, 0.6, 0.3]]
