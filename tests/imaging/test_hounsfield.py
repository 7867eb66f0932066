"""Hounsfield units only where the file states them, for each frame; otherwise its own window, with a warning."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileDataset
from pydicom.uid import CTImageStorage, EnhancedCTImageStorage, SecondaryCaptureImageStorage

from hepar.imaging import decode
from hepar.imaging.errors import ImageError, UnreadableImage, UnsupportedImage
from tests.support.phantom import phantom_grey, phantom_hu
from tests.support.pictures import ct_dataset, dicom_bytes, multi_frame, with_elements


def ct(**elements: object) -> FileDataset:
    """The phantom, with elements changed; None removes one."""
    return with_elements(ct_dataset(phantom_hu()), **elements)


def windowed(**elements: object) -> FileDataset:
    """The phantom as 8-bit grey levels, in a CT object without a rescale."""
    dataset = ct(BitsAllocated=8, BitsStored=8, HighBit=7, RescaleSlope=None, RescaleIntercept=None)
    dataset.PixelData = phantom_grey().tobytes()
    return with_elements(dataset, **elements)


def warnings_of(dataset: Dataset) -> str:
    return " ".join(decode(dicom_bytes(dataset)).warnings)


@pytest.mark.parametrize("unit", [None, "HU", " hu "])
def test_a_ct_object_has_hounsfield_units_where_its_type_is_hu_or_not_stated(unit: str | None) -> None:
    image = decode(dicom_bytes(ct() if unit is None else ct(RescaleType=unit)))
    assert np.array_equal(image.pixels, phantom_grey())
    assert image.warnings == ()


@pytest.mark.parametrize("unit", ["US", "OD"])
def test_another_rescale_type_is_warned_of(unit: str) -> None:
    assert "RescaleType is not HU: it has no Hounsfield units" in warnings_of(ct(RescaleType=unit))


def test_a_secondary_capture_has_hounsfield_units_only_where_it_states_them() -> None:
    copy = windowed(SOPClassUID=SecondaryCaptureImageStorage, RescaleSlope="1", RescaleIntercept="0")
    image = decode(dicom_bytes(copy))
    assert np.abs(image.pixels.astype(int) - phantom_grey()).max() <= 1
    assert "secondary capture: it has no Hounsfield units" in " ".join(image.warnings)
    sixteen = ct(SOPClassUID=SecondaryCaptureImageStorage)
    assert "secondary capture" in warnings_of(sixteen)
    sixteen.RescaleType = "HU"
    assert warnings_of(sixteen) == ""


def test_signed_values_of_a_copied_window_are_not_hounsfield_units() -> None:
    signed = ct(PixelRepresentation=1, RescaleIntercept="0")
    signed.PixelData = phantom_grey().astype(np.int16).tobytes()
    assert "cannot be Hounsfield units" in warnings_of(signed)
    signed.PixelData = phantom_hu().astype(np.int16).tobytes()
    assert warnings_of(signed) == ""


def test_a_ct_object_that_states_a_conversion_is_a_secondary_capture() -> None:
    assert "secondary capture" in warnings_of(ct(ConversionType="WSD"))


@pytest.mark.parametrize("term", ["SCREEN SAVE", "SCREEN_SAVE", "screen save ", "SCREENSHOT", "SCREEN CAPTURE"])
def test_a_ct_object_whose_type_is_a_screenshot_is_a_secondary_capture(term: str) -> None:
    dataset = ct(ImageType=["DERIVED", "SECONDARY", term])
    assert "secondary capture: it has no Hounsfield units" in warnings_of(dataset)
    dataset.RescaleType = "HU"
    assert warnings_of(dataset) == ""


@pytest.mark.parametrize("intercept", ["0", "-500"])
def test_values_that_cannot_be_those_of_air_are_not_hounsfield_units(intercept: str) -> None:
    copy = windowed(SOPClassUID=CTImageStorage, RescaleSlope="1", RescaleIntercept=intercept)
    assert "cannot be Hounsfield units" in warnings_of(copy)
    copy.RescaleType = "HU"
    if intercept == "0":
        assert warnings_of(copy) == ""


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        (["DERIVED", "SECONDARY", "PERFUSION"], "PERFUSION"),
        (["DERIVED", "PRIMARY", "AXIAL", "CBV"], "CBV"),
        (["DERIVED", "PRIMARY", "AXIAL", "SUBTRACTION"], "SUBTRACTION"),
        (["DERIVED", "PRIMARY", "VOLUME", "EFF_ATOMIC_NUM"], "EFF ATOMIC NUM"),
        (["DERIVED", "PRIMARY", "VOLUME", "mat_specific"], "MAT SPECIFIC"),
        (["DERIVED", "PRIMARY", "AXIAL", "PERFUSION_BF"], "PERFUSION"),
        (["DERIVED", "SECONDARY", "PROJECTION IMAGE", "CBF MAP"], "CBF"),
        (["DERIVED", "SECONDARY", "OTHER", "DE", "IODINE_MAP"], "IODINE"),
        (["DERIVED", "PRIMARY", "AXIAL", "VNC"], "VNC"),
        (["DERIVED", "SECONDARY", "AXIAL", "DE_VNC"], "VNC"),
        (["DERIVED", "PRIMARY", "OTHER", "VNCa"], "VNCA"),
        (["DERIVED", "PRIMARY", "AXIAL", "Z_EFF"], "Z EFF"),
        (["DERIVED", "PRIMARY", "AXIAL", "ZEFF"], "ZEFF"),
        (["DERIVED", "PRIMARY", "AXIAL", "EFFECTIVE_Z"], "EFFECTIVE Z"),
        (["DERIVED", "PRIMARY", "AXIAL", "ELECTRON_DENSITY"], "ELECTRON DENSITY"),
        (["DERIVED", "PRIMARY", "AXIAL", "MAT_REMOVED"], "MAT REMOVED"),
        (["ORIGINAL", "PRIMARY", "AXIAL", "MAT_VALUE_BASED"], "MAT VALUE BASED"),
        (["DERIVED", "PRIMARY", "AXIAL", "MD IODINE(WATER)"], "IODINE"),
    ],
)
def test_a_derived_map_is_refused_by_its_name(kind: list[str], word: str) -> None:
    with pytest.raises(UnsupportedImage, match=rf"a derived map \({word} in ImageType\)"):
        decode(dicom_bytes(ct(ImageType=kind)))


@pytest.mark.parametrize(
    ("description", "term"),
    [
        ("Iodine no Water[mg/ml]", "IODINE NO WATER"),
        ("Iodine Map 1.5 Br40", "IODINE MAP"),
        ("Z Effective [Z]", "Z EFFECTIVE"),
        ("Zeff", "ZEFF"),
        ("VNC[HU*]", "VNC"),
        ("Virtual Non-Contrast", "VIRTUAL NON CONTRAST"),
        ("Calcium Suppression 50 [HU*]", "CALCIUM SUPPRESSION"),
        ("Electron Density [%EDW]", "ELECTRON DENSITY"),
    ],
)
def test_a_derived_image_whose_description_names_a_map_is_refused(description: str, term: str) -> None:
    kind = ["DERIVED", "PRIMARY", "AXIAL"]
    with pytest.raises(UnsupportedImage, match=rf"a derived map \({term} in SeriesDescription\)"):
        decode(dicom_bytes(ct(ImageType=kind, SeriesDescription=description)))
    read = decode(dicom_bytes(ct(ImageType=["ORIGINAL", "PRIMARY", "AXIAL"], SeriesDescription=description)))
    assert np.array_equal(read.pixels, phantom_grey()), "the description of an original image is free text"


@pytest.mark.parametrize("unit", ["MGML", "Z_EFF", "ED", "EDW", "HU_MOD", "PCT"])
def test_a_unit_of_dual_energy_maps_is_refused(unit: str) -> None:
    with pytest.raises(UnsupportedImage, match=rf"a derived map \({unit} in RescaleType\)"):
        decode(dicom_bytes(ct(RescaleType=unit)))


@pytest.mark.parametrize(
    ("kind", "description"),
    [
        (["DERIVED", "PRIMARY", "AXIAL", "VMI"], "MonoE 70keV[HU]"),
        (["DERIVED", "PRIMARY", "AXIAL", "CT_SOM7 SPI DUAL", "MONO_70KEV"], "Mono_Plus 70 keV"),
        (["DERIVED", "SECONDARY", "AXIAL"], "Abdomen with iodine contrast, effective mAs 120"),
    ],
)
def test_a_virtual_monoenergetic_image_and_one_with_contrast_agent_are_read(kind: list[str], description: str) -> None:
    image = decode(dicom_bytes(ct(ImageType=kind, SeriesDescription=description)))
    assert (image.warnings, np.array_equal(image.pixels, phantom_grey())) == ((), True)


@pytest.mark.parametrize("kind", [["DERIVED", "SECONDARY", "AXIAL"], ["ORIGINAL", "PRIMARY", "PERFUSION"], "ORIGINAL"])
def test_reformatted_slices_and_perfusion_sources_are_read(kind: list[str]) -> None:
    assert np.array_equal(decode(dicom_bytes(ct(ImageType=kind))).pixels, phantom_grey())


def group(**elements: object) -> list[Dataset]:
    return [with_elements(Dataset(), **elements)]


def enhanced(*frames: Dataset, **top: object) -> Dataset:
    dataset = multi_frame(len(frames))
    dataset.SOPClassUID = EnhancedCTImageStorage
    dataset.PerFrameFunctionalGroupsSequence = list(frames)
    return with_elements(dataset, **top)


def frame_of(slope: str = "1", intercept: str = "-1024", **elements: object) -> Dataset:
    frame = Dataset()
    frame.PixelValueTransformationSequence = group(RescaleSlope=slope, RescaleIntercept=intercept, **elements)
    return frame


def test_a_frames_own_rescale_outranks_the_shared_one_and_the_top_level() -> None:
    plain = decode(dicom_bytes(multi_frame(1))).pixels
    dataset = enhanced(
        frame_of(), frame_of("0.5", "-400"), frame_of("1", "-1034"), Dataset(), RescaleSlope="1", RescaleIntercept="0"
    )
    content = dicom_bytes(dataset)
    assert np.array_equal(decode(content, frame=0).pixels, plain)
    assert not np.array_equal(decode(content, frame=1).pixels, plain)
    twenty_minus_ten = decode(content, frame=2).pixels.astype(int) - plain
    assert set(np.unique(twenty_minus_ten)) <= set(range(12))
    shared = decode(content, frame=3)
    assert np.array_equal(shared.pixels, decode(dicom_bytes(multi_frame(4)), frame=3).pixels)


def test_a_frames_own_type_and_unit_outrank_those_of_the_object() -> None:
    flow = frame_of()
    flow.CTImageFrameTypeSequence = group(FrameType=["DERIVED", "PRIMARY", "VOLUME", "PERFUSION"])
    content = dicom_bytes(enhanced(frame_of(), flow, frame_of(RescaleType="US"), RescaleType="HU"))
    assert decode(content, frame=0).warnings == ()
    with pytest.raises(UnsupportedImage, match="PERFUSION"):
        decode(content, frame=1)
    assert "RescaleType is not HU" in decode(content, frame=2).warnings[0]


def test_a_frame_that_is_a_screenshot_is_a_secondary_capture() -> None:
    copy = frame_of()
    copy.CTImageFrameTypeSequence = group(FrameType=["DERIVED", "SECONDARY", "SCREEN SAVE"])
    content = dicom_bytes(enhanced(frame_of(), copy))
    assert decode(content, frame=0).warnings == ()
    assert "secondary capture" in decode(content, frame=1).warnings[0]


def test_the_spacing_of_a_frame_outranks_the_top_level() -> None:
    frame = frame_of()
    frame.PixelMeasuresSequence = group(PixelSpacing=["0.5", "0.6"])
    assert decode(dicom_bytes(enhanced(frame, PixelSpacing=["3", "3"]))).spacing_mm == (0.5, 0.6)


def test_monochrome1_does_not_invert_hounsfield_units_and_inverts_a_window() -> None:
    assert np.array_equal(decode(dicom_bytes(ct(PhotometricInterpretation="MONOCHROME1"))).pixels, phantom_grey())
    own = windowed(PhotometricInterpretation="MONOCHROME1", PixelData=(255 - phantom_grey()).tobytes())
    assert np.abs(decode(dicom_bytes(own)).pixels.astype(int) - phantom_grey()).max() <= 1
    unknown = ct(PhotometricInterpretation="MONOCHROME1", RescaleType="US")
    assert decode(dicom_bytes(unknown)).pixels[0, 0] > 200


@pytest.mark.parametrize("kind", ["PALETTE COLOR", "RGB", "YBR_FULL", "YBR_FULL_422", "YBR_RCT", "HSV"])
@pytest.mark.parametrize("samples", [1, 3])
def test_colour_is_refused_before_its_pixels_are_read(kind: str, samples: int) -> None:
    dataset = ct(PhotometricInterpretation=kind, SamplesPerPixel=samples, PixelData=b"\0\0")
    with pytest.raises(UnsupportedImage, match=f"only greyscale DICOM is read .* not {kind}"):
        decode(dicom_bytes(dataset))


def lut(values: np.ndarray, first: int, **elements: object) -> Dataset:
    table = group(LUTDescriptor=[len(values), first, 16], LUTData=values.astype(np.uint16).tolist(), **elements)[0]
    table["LUTDescriptor"].VR, table["LUTData"].VR = "US", "US"
    return table


def test_a_modality_table_gives_hounsfield_units_only_where_it_is_of_type_hu() -> None:
    table = lut(np.arange(4096) // 4, 0, ModalityLUTType="HU")
    dataset = ct(RescaleSlope=None, RescaleIntercept=None, ModalityLUTSequence=[table])
    stored = phantom_hu() + 1024
    expected = np.clip(np.rint((stored // 4) * 255 / 250), 0, 255)
    image = decode(dicom_bytes(dataset))
    assert np.array_equal(image.pixels, expected)
    assert image.warnings == ()
    table.ModalityLUTType = "OD"
    assert "no Hounsfield units" in warnings_of(dataset)


def own_window(**elements: object) -> FileDataset:
    return ct(RescaleSlope=None, RescaleIntercept=None, **elements)


@pytest.mark.parametrize("window", [("1149", "250"), (["1149", "60"], ["250", "400"])])
def test_a_files_own_window_is_applied_first_of_several(window: tuple[object, object]) -> None:
    image = decode(dicom_bytes(own_window(WindowCenter=window[0], WindowWidth=window[1])))
    assert np.abs(image.pixels.astype(int) - phantom_grey()).max() <= 2


@pytest.mark.parametrize("width", ["0", "-5", "1"])
def test_a_window_without_extent_is_left_out(width: str) -> None:
    image = decode(dicom_bytes(own_window(WindowCenter="60", WindowWidth=width)))
    assert np.array_equal(image.pixels, decode(dicom_bytes(own_window())).pixels)


def test_a_table_of_the_file_is_applied_where_it_has_no_hounsfield_units() -> None:
    table = lut(np.clip((np.arange(4096) - 1024) * 65535.0 / 250, 0, 65535).round(), 0)
    image = decode(dicom_bytes(own_window(VOILUTSequence=[table])))
    assert np.abs(image.pixels.astype(int) - phantom_grey()).max() <= 1
    assert "its own window" in image.warnings[0]


@pytest.mark.parametrize(
    ("elements", "words"),
    [
        ({"RescaleSlope": "0"}, "RescaleSlope is 0"),
        ({"RescaleSlope": "0.0"}, "RescaleSlope is 0"),
        ({"RescaleSlope": "1e-9"}, "no contrast between 0 and 250 HU"),
        ({"RescaleIntercept": "-20000"}, "no contrast between 0 and 250 HU"),
        ({"PixelData": b"\x10\x04" * 128 * 128}, "no contrast between 0 and 250 HU"),
    ],
)
def test_a_slope_of_0_and_flat_slices_are_refused(elements: dict[str, object], words: str) -> None:
    with pytest.raises(UnreadableImage, match=words):
        decode(dicom_bytes(ct(**elements)))


def with_text(name: str, text: bytes) -> bytes:
    """A DS element with any text; pydicom does not write one."""
    marker = "1111111111"
    dataset = own_window(WindowCenter="60") if name.startswith("Window") else ct()
    dataset.WindowWidth = "400"
    setattr(dataset, name, [marker] * 2 if name == "PixelSpacing" else marker)
    return dicom_bytes(dataset).replace(marker.encode(), text.ljust(10))


@pytest.mark.parametrize("name", ["RescaleSlope", "RescaleIntercept", "WindowCenter", "WindowWidth", "PixelSpacing"])
@pytest.mark.parametrize("text", [b"-1024,0", b"1,5", b"words"])
def test_a_decimal_comma_is_refused_with_the_elements_name(name: str, text: bytes) -> None:
    with pytest.raises(ImageError, match=name):
        decode(with_text(name, text))
