"""NIfTI volumes: every orientation, and what is refused."""

from __future__ import annotations

import gzip
import itertools
import zlib
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hepar.imaging.errors import ImageError, NoUsableSeries, StudyError, StudyTooLarge, UnreadableStudy
from hepar.imaging.study import load_study, read_headers
from hepar.imaging.volume import CtVolume
from tests.support.pictures import dicom_bytes
from tests.support.studies import ct_series, stored, stored_series

SHAPE = (34, 36, 38)
ORIENTATIONS = ["".join(signs[axis] for axis in order) for order in itertools.permutations(range(3))
                for signs in itertools.product("RL", "AP", "SI")]  # fmt: skip


def gradient_at(places_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """Hounsfield units of places (..., 3) in LPS millimetres: different along each axis."""
    return np.asarray(-100 + 3 * places_mm[..., 0] - 2 * places_mm[..., 1] + 5 * places_mm[..., 2])


def nifti(
    affine: NDArray[np.float64], dtype: type = np.int16, shape: tuple[int, ...] = SHAPE, code: int = 1
) -> nibabel.Nifti1Image:
    """With `gradient_at`, and one voxel of air."""
    indices = np.stack(np.meshgrid(*map(np.arange, shape[:3]), indexing="ij"), axis=-1)
    places_ras = indices @ affine[:3, :3].T + affine[:3, 3]
    values = gradient_at(places_ras * [-1, -1, 1])
    values[0, 0, 0] = -1000
    image = nibabel.Nifti1Image(np.rint(values).astype(dtype).reshape(shape), affine, dtype=dtype)
    image.set_sform(affine, code)
    image.set_qform(affine, code)
    return image


def oriented_affine(codes: str, spacing_mm: tuple[float, float, float] = (2.0, 2.0, 2.0)) -> NDArray[np.float64]:
    """RAS+, with the centre of the volume at (5, -10, 20)."""
    ornt = nibabel.orientations.axcodes2ornt(codes)
    affine = np.eye(4)
    affine[:3, :3] = 0
    for axis, (world, sign) in enumerate(ornt):
        affine[int(world), axis] = sign * spacing_mm[axis]
    affine[:3, 3] = np.array([5, -10, 20]) - affine[:3, :3] @ (np.array(SHAPE) - 1) / 2
    return affine


def saved(folder: Path, image: nibabel.Nifti1Image, name: str = "volume.nii.gz") -> list[Path]:
    nibabel.save(image, folder / name)
    return [folder / name]


def loaded(paths: list[Path]) -> CtVolume:
    return load_study(paths)[1]


@pytest.mark.parametrize("codes", ORIENTATIONS)
def test_all_forty_eight_orientations_become_the_standard_one(tmp_path: Path, codes: str) -> None:
    volume = loaded(saved(tmp_path, nifti(oriented_affine(codes)), "volume.nii"))
    assert volume.geometry.slice_direction == (0, 0, 1)
    assert volume.geometry.row_direction == (0, 1, 0)
    assert volume.geometry.column_direction == (1, 0, 0)
    places = np.array(list(np.ndindex(volume.hu.shape)), dtype=float)
    expected = gradient_at(volume.geometry.to_patient_mm(places)).reshape(volume.hu.shape)
    wrong = np.abs(volume.hu - expected) > 1
    assert wrong.sum() == 1, "the voxel of air"
    assert len(volume.sources) == len(volume.hu)


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.float32, np.float64])
@pytest.mark.parametrize("name", ["volume.nii", "volume.nii.gz"])
def test_types_and_compression(tmp_path: Path, dtype: type, name: str) -> None:
    paths = saved(tmp_path, nifti(oriented_affine("LAS"), dtype), name)
    assert np.array_equal(loaded(paths).hu, loaded(saved(tmp_path, nifti(oriented_affine("LAS")), "plain.nii")).hu)


def test_scaling_of_stored_values_is_applied(tmp_path: Path) -> None:
    image = nifti(oriented_affine("LPS"), np.float32)
    expected = loaded(saved(tmp_path, image)).hu
    scaled = nibabel.Nifti1Image(((image.get_fdata() + 1024) * 2).astype(np.int16), image.affine)
    scaled.set_sform(image.affine, 1)
    scaled.header.set_slope_inter(0.5, -1024)
    nibabel.save(scaled, tmp_path / "scaled.nii")
    raw = bytearray((tmp_path / "scaled.nii").read_bytes())
    raw[112:120] = np.array([0.5, -1024], dtype="<f4").tobytes()
    raw[352:] = ((image.get_fdata() + 1024) * 2).astype("<i2").tobytes(order="F")
    assert np.array_equal(loaded(stored(tmp_path, bytes(raw))).hu, expected)


def test_big_endian_and_nifti_2(tmp_path: Path) -> None:
    image = nifti(oriented_affine("LPS"))
    expected = loaded(saved(tmp_path, image)).hu
    second = nibabel.Nifti2Image(np.asarray(image.dataobj), image.affine)
    second.set_sform(image.affine, 1)
    assert np.array_equal(loaded(saved(tmp_path, second, "second.nii.gz")).hu, expected)
    swapped = nibabel.Nifti1Image(np.asarray(image.dataobj), image.affine, image.header.as_byteswapped(">"))
    assert np.array_equal(loaded(saved(tmp_path, swapped, "big.nii")).hu, expected)


def test_pixels_that_are_not_square(tmp_path: Path) -> None:
    volume = loaded(saved(tmp_path, nifti(oriented_affine("RAS", (1.0, 1.5, 4.0)))))
    assert volume.geometry.spacing_mm == pytest.approx((4.0, 1.0, 1.0), abs=0.02)
    assert volume.hu.shape == (38, 54, 34)
    inner = np.array([(20, row, column) for row in range(4, 50, 5) for column in range(4, 30, 5)], dtype=float)
    expected = gradient_at(volume.geometry.to_patient_mm(inner))
    assert volume.hu[20, inner[:, 1].astype(int), inner[:, 2].astype(int)] == pytest.approx(expected, abs=1)


def test_an_inclined_volume_keeps_its_directions_and_is_warned_of(tmp_path: Path) -> None:
    tip = np.radians(30)
    turned = np.array([[1, 0, 0], [0, np.cos(tip), -np.sin(tip)], [0, np.sin(tip), np.cos(tip)]])
    affine = oriented_affine("LPS")
    affine[:3, :3] = turned @ affine[:3, :3]
    volume = loaded(saved(tmp_path, nifti(affine)))
    assert volume.warnings == ("The slices are 30 degrees off standard axial ones; the result may be wrong.",)
    places = np.array([(3, 5, 7), (30, 20, 10)], dtype=float)
    expected = gradient_at(volume.geometry.to_patient_mm(places))
    assert [volume.hu[3, 5, 7], volume.hu[30, 20, 10]] == pytest.approx(expected, abs=1)


def sheared() -> NDArray[np.float64]:
    affine = oriented_affine("LPS")
    affine[1, 2] = 0.4
    return affine


def with_value(value: float) -> nibabel.Nifti1Image:
    image = nifti(oriented_affine("LPS"), np.float32)
    values = np.asarray(image.dataobj).copy()
    values[3, 4, 5] = value
    return nibabel.Nifti1Image(values, image.affine)


def of_values(values: NDArray[np.generic]) -> nibabel.Nifti1Image:
    image = nibabel.Nifti1Image(values, oriented_affine("LPS"))
    image.set_sform(image.affine, 1)
    return image


RNG = np.random.default_rng(5)


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (nifti(oriented_affine("LPS"), code=0), "does not state its orientation"),
        (nifti(sheared()), "not perpendicular"),
        (nifti(oriented_affine("LPS"), shape=(*SHAPE, 1)), None),
        (of_values(np.zeros((*SHAPE, 4), dtype=np.int16)), "4 dimensions"),
        (of_values(np.zeros((40, 40), dtype=np.int16)), "2 dimensions"),
        (of_values(RNG.integers(0, 255, SHAPE).astype(np.uint8)), "8 bits a voxel"),
        (of_values(RNG.integers(0, 255, SHAPE).astype(np.int16)), "not Hounsfield units"),
        (of_values(RNG.integers(-200, 200, SHAPE).astype(np.int16)), "not Hounsfield units"),
        (of_values(RNG.random(SHAPE).astype(np.float32)), "not Hounsfield units"),
        (of_values(np.full(SHAPE, -1000, dtype=np.int16)), "not Hounsfield units"),
        (of_values(np.zeros(SHAPE, dtype=np.complex64)), "colours or complex numbers"),
        (with_value(np.nan), "not numbers"),
        (with_value(np.inf), "not numbers"),
        (with_value(1e9), "not Hounsfield units"),
        (nifti(oriented_affine("LPS"), shape=(34, 36, 2)), "2 slices of 34 x 36 pixels are too few"),
        (nifti(oriented_affine("LSA", (1.0, 1.0, 5.0))), "coronal slices"),
        (nifti(oriented_affine("PSR", (1.0, 1.0, 5.0))), "sagittal slices"),
        (nifti(oriented_affine("LPS", (1.0, 1.0, 12.0))), "12.0 mm apart"),
        (nifti(oriented_affine("LPS", (0.001, 0.001, 1.0))), "not plausible"),
    ],
)  # fmt: skip
def test_what_is_no_ct_volume_is_refused_by_name(tmp_path: Path, image: nibabel.Nifti1Image, words: str | None) -> None:
    paths = saved(tmp_path, image)
    if words is None:
        assert loaded(paths).hu.shape == (38, 36, 34)
        return
    with pytest.raises(NoUsableSeries, match=words):
        read_headers(paths)


def plain_bytes() -> bytes:
    return bytes(nifti(oriented_affine("LPS")).to_bytes())


def header_changed(offset: int, value: bytes) -> bytes:
    content = bytearray(plain_bytes())
    content[offset : offset + len(value)] = value
    return bytes(content)


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (plain_bytes()[:-10], UnreadableStudy),
        (plain_bytes()[:200], UnreadableStudy),
        (gzip.compress(plain_bytes())[:-2000], UnreadableStudy),
        (gzip.compress(plain_bytes())[:-8] + bytes(8), UnreadableStudy),
        (gzip.compress(b"no volume" * 100), UnreadableStudy),
        (b"\x1f\x8b" + bytes(100), UnreadableStudy),
        (header_changed(344, b"ni1\0"), UnreadableStudy),
        (header_changed(70, b"\xff\x7f"), UnreadableStudy),
        (header_changed(108, np.array([1e9], dtype="<f4").tobytes()), UnreadableStudy),
        (header_changed(108, np.array([np.nan], dtype="<f4").tobytes()), UnreadableStudy),
        (header_changed(42, b"\xff\x7f\xff\x7f\xff\x7f"), StudyTooLarge),
        (header_changed(42, b"\xff\xff"), StudyError),
        (header_changed(40, b"\xff\x7f"), StudyError),
        (header_changed(280, np.full(12, np.nan, dtype="<f4").tobytes()), NoUsableSeries),
        (header_changed(123, b"\x01"), NoUsableSeries),
    ],
)
def test_damaged_files_are_refused(tmp_path: Path, content: bytes, error: type[ImageError]) -> None:
    with pytest.raises(error):
        read_headers(stored(tmp_path, content))


def test_a_bomb_is_not_inflated_beyond_its_volume(tmp_path: Path) -> None:
    """1 GB of zeros after the last voxel: what the header does not announce is never inflated."""
    squeezer = zlib.compressobj(9, zlib.DEFLATED, 31)
    content = squeezer.compress(plain_bytes())
    content += b"".join(squeezer.compress(bytes(1 << 20)) for _ in range(1024)) + squeezer.flush()
    assert loaded(stored(tmp_path, content)).hu.shape == (38, 36, 34)


def test_a_volume_is_sent_alone(tmp_path: Path) -> None:
    with pytest.raises(UnreadableStudy, match="only file"):
        read_headers(stored(tmp_path, plain_bytes(), dicom_bytes(ct_series()[0])))


def test_the_document_of_a_volume(tmp_path: Path) -> None:
    paths = stored(tmp_path, plain_bytes())
    headers = read_headers(paths)
    assert (headers.kind, headers.images, headers.stacks, headers.patient.id) == ("nifti", 38, (), None)
    assert headers.chosen.reason == "the only volume, 38 slices over 74 mm"
    assert (headers.chosen.uid, headers.chosen.slice_spacing_mm, headers.chosen.id) == (None, 2.0, "series-1")
    assert load_study(paths)[0] == replace(headers, instances=frozenset()), "the voxels need no hash of the file"
    assert headers.fingerprint != read_headers(stored_series(tmp_path, ct_series())).fingerprint


@settings(max_examples=200)
@given(st.lists(st.tuples(st.integers(0, 351), st.integers(0, 255)), min_size=1, max_size=6))
def test_damaged_headers_raise_nothing_but_refusals(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, int]]
) -> None:
    content = bytearray(PLAIN)
    for place, value in changes:
        content[place] = value
    folder = tmp_path_factory.getbasetemp()
    try:
        volume = loaded(stored(folder, bytes(content)))
    except StudyError:
        return
    assert volume.hu.dtype == np.int16


PLAIN = plain_bytes()
