"""The choice of a series: each rule, and the reason that a reader gets."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from pydicom.dataset import FileDataset

from hepar.contracts.studies import Series
from hepar.imaging.errors import NoUsableSeries
from hepar.imaging.study.choice import choose
from hepar.imaging.study.files import FileRef
from hepar.imaging.study.headers import read_instance
from hepar.imaging.study.phases import kernel_of, phase_of, phases_of
from hepar.imaging.study.series import SliceStack, stacks_of
from tests.support.pictures import dicom_bytes
from tests.support.studies import ct_series, same_study

FIVE_MM = tuple(5.0 * index for index in range(40))
ONE_MM = tuple(float(index) for index in range(200))
PLAIN: Mapping[str, object] = {"SeriesDescription": "Abdomen", "ConvolutionKernel": None}


def stacks(*series: list[FileDataset]) -> tuple[SliceStack, ...]:
    images = [image for number, one in enumerate(series) for image in numbered(one, number + 1)]
    contents = enumerate(map(dicom_bytes, same_study(images)))
    return stacks_of([read_instance(content, FileRef(index, index, None)) for index, content in contents])


def numbered(series: list[FileDataset], number: int) -> list[FileDataset]:
    for image in series:
        image.SeriesNumber = str(number)
    return series


def moved(series: list[FileDataset], left_mm: str, start: int) -> list[FileDataset]:
    for image in series[start:]:
        image.ImagePositionPatient[0] = left_mm
    return series


def tilted(series: list[FileDataset]) -> list[FileDataset]:
    """Each slice 0.8 mm further back than the one below."""
    for number, image in enumerate(series):
        image.ImagePositionPatient[1] = f"{-140 + 0.8 * number:.1f}"
    return series


def reasons(*series: list[FileDataset]) -> list[str]:
    return [one.reason for one in choose(stacks(*series))]


def test_of_a_usual_study_the_portal_venous_soft_series_is_chosen() -> None:
    scout = ct_series((0.0,), (1, 0, 0, 0, 0, -1), ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    native = ct_series(FIVE_MM, SeriesDescription="Abdomen nativ 5.0")
    arterial = ct_series(FIVE_MM, SeriesDescription="Abdomen arteriell 5.0")
    lung = ct_series(FIVE_MM, SeriesDescription="Lunge 5.0", ConvolutionKernel="B70f")
    venous = ct_series(FIVE_MM, SeriesDescription="Abdomen pv 5.0 B30f", ConvolutionKernel="B30f")
    thin = ct_series(ONE_MM, SeriesDescription="Abdomen pv 1.0 B30f", ConvolutionKernel="B30f", shape=(32, 32))
    coronal = ct_series(FIVE_MM, (1, 0, 0, 0, 0, -1), SeriesDescription="pv cor")
    short = ct_series(FIVE_MM[:20], SeriesDescription="Leber pv")
    dose = ct_series((0.0,), Modality="SR", ImageOrientationPatient=None, ImagePositionPatient=None)
    found = choose(stacks(scout, native, arterial, lung, venous, thin, coronal, short, dose))
    assert [(one.chosen, one.reason) for one in found] == [
        (False, "a localizer"),
        (False, "without contrast; portal venous was preferred"),
        (False, "arterial phase; portal venous was preferred"),
        (False, "sharp kernel; a softer one was preferred"),
        (True, "axial, original, soft kernel, portal venous, 40 slices over 195 mm"),
        (False, "slices 1.0 mm apart; nearer to 3 mm was preferred"),
        (False, "coronal slices; only axial ones are read"),
        (False, "only 95 mm; a longer series was preferred"),
        (False, "not CT"),
    ]


def test_of_equal_spacings_the_longer_and_then_the_first_is_chosen() -> None:
    assert reasons(ct_series(FIVE_MM), ct_series((*FIVE_MM, 200.0)))[0] == "40 slices; more slices were preferred"
    assert reasons(ct_series(FIVE_MM), ct_series(FIVE_MM))[1] == "like the chosen series, which comes first"


def test_a_spacing_near_three_millimetres_is_preferred() -> None:
    close = ct_series(tuple(3.0 * index for index in range(60)))
    assert reasons(ct_series(FIVE_MM), close)[0] == "slices 5.0 mm apart; nearer to 3 mm was preferred"


def test_an_original_series_is_preferred_to_a_derived_one() -> None:
    derived = ct_series(FIVE_MM, ImageType=["DERIVED", "SECONDARY", "REFORMATTED", "AVERAGE"])
    native = ct_series(FIVE_MM, SeriesDescription="native")
    assert reasons(derived, native)[0] == "derived; an original series was preferred"
    assert reasons(derived) == ["axial, derived, soft kernel, portal venous, 40 slices over 195 mm"]


@pytest.mark.parametrize(
    ("series", "words"),
    [
        (ct_series(FIVE_MM, (1, 0, 0, 0, 0, -1)), "only coronal or sagittal slices"),
        (ct_series(FIVE_MM, (0, 1, 0, 0, 0, -1)), "only coronal or sagittal slices"),
        (ct_series(FIVE_MM, (1, 0, 0, 0, 0.6, 0.8)), "oblique slices; only axial ones are read"),
        (ct_series(FIVE_MM, Modality="MR"), "not CT"),
        (ct_series(FIVE_MM, SOPClassUID="1.2.840.10008.5.1.4.1.1.7"), "a secondary capture"),
        (ct_series(FIVE_MM, ImageType=["DERIVED", "PRIMARY", "AXIAL", "PERFUSION"]), "a derived map"),
        (ct_series(FIVE_MM, ImageType=["DERIVED", "SECONDARY", "MIP"]), "a projection"),
        (ct_series(FIVE_MM, ImagePositionPatient=None), "do not state where its slices are"),
        (ct_series(FIVE_MM, PixelSpacing=None), "the size of a pixel"),
        (moved(ct_series(FIVE_MM), "-120", 20), "do not lie above one another"),
        (tilted(ct_series(FIVE_MM)), "gantry tilt of 9 degrees"),
        (ct_series(FIVE_MM[:2]), r"only 2 slice\(s\)"),
        (ct_series(tuple(12.0 * index for index in range(10))), "slices 12.0 mm apart"),
        (ct_series((*FIVE_MM[:10], *FIVE_MM[16:])), "slices are missing over 35 mm"),
    ],
)
def test_series_that_cannot_be_analysed_are_refused_by_name(series: list[FileDataset], words: str) -> None:
    with pytest.raises(NoUsableSeries, match=words):
        choose(stacks(series))


def test_positions_that_would_need_endless_slices_are_refused() -> None:
    """Four at distances of 0.015 mm and one 19 mm off: 1,267 places of 640 x 640 pixels."""
    found = stacks(ct_series((0.0, 0.015, 0.03, 0.045, 19.0), shape=(640, 640)))
    with pytest.raises(NoUsableSeries, match="more than can be read"):
        choose(found)


def test_a_named_series_is_taken_against_the_rules_but_not_against_obstacles() -> None:
    found = stacks(ct_series(FIVE_MM), ct_series(FIVE_MM, ConvolutionKernel="LUNG"), ct_series(FIVE_MM, Modality="MR"))
    named = choose(found, "series-2")
    assert [one.chosen for one in named] == [False, True, False]
    assert [one.reason for one in named] == [
        "not named by the sender",
        "named by the sender: axial, original, sharp kernel, portal venous, 40 slices over 195 mm",
        "not CT",
    ]
    with pytest.raises(NoUsableSeries, match="the named series cannot be analysed: not CT"):
        choose(found, "series-3")


def test_the_document_of_a_series() -> None:
    (one,) = choose(stacks(ct_series((*FIVE_MM[:5], *FIVE_MM[6:]))))
    assert isinstance(one, Series)
    assert one.model_dump(exclude={"uid"}) == {
        "id": "series-1",
        "number": 1,
        "description": "Abdomen portal venous",
        "modality": "CT",
        "plane": "axial",
        "images": 39,
        "slice_spacing_mm": 5.0,
        "findings": ["missing_slices"],
        "chosen": True,
        "reason": "axial, original, soft kernel, portal venous, 39 slices over 195 mm",
    }


@pytest.mark.parametrize(
    ("description", "phase"),
    [
        ("Abdomen portal venous 1.5 B30f", "portal venous"),
        ("ABD_PV_5mm", "portal venous"),
        ("Oberbauch portalven\u00f6s", "portal venous"),
        ("Abd. ven\u00f6s 70s", "portal venous"),
        ("LIVER VENOUS PHASE", "portal venous"),
        ("Liver 75 sec", "portal venous"),
        ("ARTERIAL PHASE", "arterial"),
        ("Leber art. 3.0", "arterial"),
        ("late arterial", "arterial"),
        ("CTA abdomen", "arterial"),
        ("DELAYED 5 MIN", "delayed"),
        ("Sp\u00e4tphase", "delayed"),
        ("W/O CONTRAST", "unenhanced"),
        ("non-contrast", "unenhanced"),
        ("Abdomen nativ", "unenhanced"),
        ("Abdomen with contrast", "unknown with contrast"),
        ("Abdomen", "unknown"),
        ("part 2", "unknown"),
        ("Inventory", "unknown"),
    ],
)
def test_phases_in_descriptions(description: str, phase: str) -> None:
    (stack,) = stacks(ct_series(FIVE_MM[:3], SeriesDescription=description, SpecificCharacterSet="ISO_IR 192"))
    assert phase_of(stack) == phase


@pytest.mark.parametrize(
    ("start", "acquired", "phase"),
    [
        ("140216.694022", "140352.457000", "portal venous"),
        ("120000", "120035", "arterial"),
        ("120000", "120110", "portal venous"),
        ("120000", "120400", "delayed"),
        ("235950", "000100", "portal venous"),
        ("120000", "110000", "unknown with contrast"),
        (None, "120110", "unknown with contrast"),
    ],
)
def test_phases_of_times(start: str | None, acquired: str, phase: str) -> None:
    elements = {"ContrastBolusAgent": "APPLIED", "ContrastBolusStartTime": start, "AcquisitionTime": acquired}
    (stack,) = stacks(ct_series(FIVE_MM[:3], **{**PLAIN, **elements}))  # type: ignore[arg-type]
    assert phase_of(stack) == phase


def test_phases_of_acquisitions_that_follow_one_another() -> None:
    """No description and no time of the injection: unenhanced, arterial, portal venous twice, delayed."""
    times = (("100000", None), ("100400", "AGENT"), ("100440", "AGENT"), ("100441", "AGENT"), ("100700", "AGENT"))
    series = [
        ct_series(FIVE_MM, **{**PLAIN, "AcquisitionTime": time, "ContrastBolusAgent": agent})  # type: ignore[arg-type]
        for time, agent in times
    ]
    found = stacks(*series)
    assert list(phases_of(found).values()) == ["unknown", "arterial", "portal venous", "portal venous", "delayed"]
    assert [one.chosen for one in choose(found)] == [False, False, True, False, False]
    assert set(phases_of(found[3:4]).values()) == {"unknown with contrast"}


@pytest.mark.parametrize(
    ("name", "kernel"),
    [
        ("STANDARD", "soft"), ("SOFT", "soft"), ("LUNG", "sharp"), ("BONEPLUS", "sharp"), ("B30f", "soft"),
        (["Br38f", "3"], "soft"), ("I26f\\2", "soft"), ("B70s", "sharp"), ("Bl57d", "sharp"), ("FC08", "soft"),
        ("FC18-H", "soft"), ("FC51", "sharp"), ("B", "soft"), ("C", "soft"), ("YC", "sharp"), ("L", "sharp"),
        ("\u00bfquien sabe", "unknown"), (None, "unknown"),
    ],
)  # fmt: skip
def test_kernels(name: object, kernel: str) -> None:
    (stack,) = stacks(ct_series(FIVE_MM[:3], **{**PLAIN, "SeriesDescription": None, "ConvolutionKernel": name}))  # type: ignore[arg-type]
    assert kernel_of(stack) == kernel
