"""What leaves the decode worker: the sizes that were requested, and never the image at full size."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from hepar.contracts.views import View
from hepar.imaging import CtImage
from hepar.imaging.geometry import Geometry, Orientation
from hepar.imaging.letterbox import letterbox
from hepar.imaging.prepared import PREVIEW_SIDE_MAX, make_preview, prepare
from tests.support.pictures import gradient


def test_each_requested_size_is_letterboxed_and_the_mean_is_that_of_the_whole_image() -> None:
    image = CtImage(gradient(300, 100), "PNG", None, ("a warning",))
    prepared = prepare(image, {View(64, 64), View(32, 48)}, with_preview=False)
    assert set(prepared.inputs) == {View(64, 64), View(32, 48)}
    for view, network_input in prepared.inputs.items():
        pixels, transform = letterbox(image.pixels, view.height, view.width)
        assert np.array_equal(network_input.pixels, pixels)
        assert network_input.transform == transform
    assert prepared.grey_mean == pytest.approx(image.pixels.mean())
    assert (prepared.geometry, prepared.format) == (Geometry(100, 300), "PNG")
    assert (prepared.spacing_mm, prepared.warnings, prepared.preview) == (None, ("a warning",), None)


def test_a_large_image_has_a_smaller_preview_and_keeps_its_own_size() -> None:
    preview = make_preview(CtImage(gradient(1_000, 4_096), "PNG"))
    assert preview.pixels.shape == (500, PREVIEW_SIDE_MAX)
    assert preview.geometry == Geometry(4_096, 1_000)


def test_a_small_image_is_its_own_preview() -> None:
    assert np.array_equal(make_preview(CtImage(gradient(), "PNG")).pixels, gradient())


def test_the_size_of_a_prepared_image_does_not_depend_on_the_size_of_the_file() -> None:
    large = prepare(CtImage(gradient(6_000, 6_000), "PNG"), {View(256, 256)}, with_preview=True)
    assert len(pickle.dumps(large)) < PREVIEW_SIDE_MAX**2 + 256**2 + 10_000


def test_pixels_that_are_not_square_are_square_for_the_networks_and_in_the_preview() -> None:
    """50 rows, each as high as two columns are wide, of an image that is stored transposed."""
    image = CtImage(gradient(80, 50), "DICOM", orientation=Orientation(transposed=True), pixel_aspect=2.0)
    assert image.geometry.display_size == (100, 80)
    prepared = prepare(image, {View(64, 64)}, with_preview=True)
    transform = prepared.inputs[View(64, 64)].transform
    assert (transform.left, transform.top, transform.scale) == (0, 6, 0.64)
    assert (prepared.inputs[View(64, 64)].pixels[6:57, 60] > 0).all()
    assert prepared.preview is not None
    assert prepared.preview.pixels.shape == (80, 100)
    assert (np.diff(prepared.preview.pixels[40].astype(int)) >= 0).all()
