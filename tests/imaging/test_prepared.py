"""What leaves the decode worker: the sizes that were requested, and never the image at full size."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from hepar.imaging import CtImage
from hepar.imaging.letterbox import letterbox
from hepar.imaging.prepared import PREVIEW_SIDE_MAX, make_preview, prepare
from tests.support.pictures import gradient


def test_each_requested_size_is_letterboxed_and_the_mean_is_that_of_the_whole_image() -> None:
    image = CtImage(gradient(300, 100), "PNG", (0.5, 0.7), ("a warning",))
    prepared = prepare(image, {(64, 64), (32, 48)}, with_preview=False)
    assert set(prepared.inputs) == {(64, 64), (32, 48)}
    for size, network_input in prepared.inputs.items():
        pixels, transform = letterbox(image.pixels, *size)
        assert np.array_equal(network_input.pixels, pixels)
        assert network_input.transform == transform
    assert prepared.grey_mean == pytest.approx(image.pixels.mean())
    assert (prepared.width, prepared.height, prepared.format) == (100, 300, "PNG")
    assert (prepared.spacing_mm, prepared.warnings, prepared.preview) == ((0.5, 0.7), ("a warning",), None)


def test_a_large_image_has_a_smaller_preview_and_keeps_its_own_size() -> None:
    preview = make_preview(CtImage(gradient(1_000, 4_096), "PNG"))
    assert preview.pixels.shape == (500, PREVIEW_SIDE_MAX)
    assert (preview.width, preview.height) == (4_096, 1_000)


def test_a_small_image_is_its_own_preview() -> None:
    assert np.array_equal(make_preview(CtImage(gradient(), "PNG")).pixels, gradient())


def test_the_size_of_a_prepared_image_does_not_depend_on_the_size_of_the_file() -> None:
    large = prepare(CtImage(gradient(6_000, 6_000), "PNG"), {(256, 256)}, with_preview=True)
    assert len(pickle.dumps(large)) < PREVIEW_SIDE_MAX**2 + 256**2 + 10_000
