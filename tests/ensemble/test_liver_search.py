"""The search finds the extent that all slices would give, and segments few slices without a liver."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from hepar.ensemble.liver_extent import liver_extent, liver_pixels
from hepar.ensemble.liver_search import LiverSearch

SIDE_PX = 24


def masks(livers: list[bool]) -> NDArray[np.uint8]:
    shares = np.zeros((len(livers), 2, SIDE_PX, SIDE_PX), dtype=np.uint8)
    shares[np.array(livers, dtype=bool), 0] = 255
    return shares


def searched(shares: NDArray[np.uint8], spacing_mm: float) -> tuple[LiverSearch, list[int]]:
    search, segmented = LiverSearch(len(shares), spacing_mm), list[int]()
    while search.wanted:
        segmented += search.wanted
        search.add(search.wanted, shares[search.wanted])
    return search, segmented


@given(
    before=st.integers(0, 60),
    liver=st.lists(st.booleans(), min_size=1, max_size=60),
    after=st.integers(0, 60),
    spacing_mm=st.floats(0.5, 12),
)
def test_the_extent_is_that_of_all_slices(before: int, liver: list[bool], after: int, spacing_mm: float) -> None:
    """Slices of the liver may be missed, but none of its ends, and not over a distance that would divide it."""
    gap = max(1, int(10 / spacing_mm))
    seen = [True] + [found or index % gap == 0 for index, found in enumerate(liver)] + [True]
    shares = masks([False] * before + seen + [False] * after)
    expected = liver_extent(liver_pixels(shares), spacing_mm)
    search, segmented = searched(shares, spacing_mm)
    assert search.extent == expected
    assert expected is not None
    assert (search.shares(range(expected[0], expected[1] + 1)) == shares[expected[0] : expected[1] + 1]).all()
    assert len(segmented) == len(set(segmented))


def test_few_slices_without_a_liver_are_segmented() -> None:
    shares = masks([False] * 200 + [True] * 41 + [False] * 59)
    search, segmented = searched(shares, 2.5)
    assert search.extent == (200, 240)
    assert sorted(segmented) == sorted({*range(0, 300, 24), 299, *range(200 - 5, 240 + 6)})


def test_a_part_of_the_liver_at_an_end_of_the_volume_is_found() -> None:
    """A CT of the chest shows the upper millimetres of the liver."""
    for livers in ([True] * 3 + [False] * 200, [False] * 200 + [True] * 3):
        shares = masks(livers)
        search, segmented = searched(shares, 2.5)
        assert search.extent == liver_extent(liver_pixels(shares), 2.5)
        assert len(segmented) < 30


def test_a_liver_between_two_samples_is_found() -> None:
    shares = masks([False] * 17 + [True] + [False] * 12)
    assert searched(shares, 1.0)[0].extent == (17, 17)


def test_a_short_part_makes_the_search_look_closer() -> None:
    """Samples 60 mm apart miss a liver of 55 mm and show a mistake of 20 mm; those 30 mm apart show both."""
    livers = [False] * 300
    livers[53:73], livers[125:180] = [True] * 20, [True] * 55
    shares = masks(livers)
    shares[53:73, 0, : SIDE_PX // 2] = 0
    search, _ = searched(shares, 1.0)
    assert search.extent == (125, 179)


def test_slices_of_the_liver_are_known_before_its_extent_is() -> None:
    """The masks may come in any order; what is known without a gap from the first sample on is the liver's."""
    shares = masks([False] * 50 + [True] * 30 + [False] * 50)
    search, seen = LiverSearch(len(shares), 5.0), list[range]()
    while search.wanted:
        for part in (search.wanted[3:], search.wanted[:3]):
            search.add(part, shares[part])
            seen.append(search.probable)
    assert seen[0] == range(0)
    assert seen[1] == range(60, 61)
    assert seen[2] == range(60, 76)
    assert seen[-1] == range(60, 80)
    assert all(after.start == 60 and after.stop >= before.stop for before, after in pairwise(seen[1:]))
    assert search.extent == (50, 79)


def test_a_volume_without_a_liver_is_segmented_as_a_whole() -> None:
    search, segmented = searched(masks([False] * 30), 1.0)
    assert search.extent is None
    assert sorted(segmented) == list(range(30))
