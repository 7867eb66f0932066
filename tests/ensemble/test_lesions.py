"""From evidence to lesions and a decision: what a reader of a result gets."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hepar.contracts.lesions import Lesion
from hepar.ensemble.lesion_linking import LinkedBoxes
from hepar.ensemble.lesion_masks import OrganVolume
from hepar.ensemble.lesion_probability import LOWEST_SHARE, lesion_types, share_in_liver
from hepar.ensemble.lesions import VolumeAnalysis, VolumeEvidence, analyse_volume, find_candidates, tracking_uid
from hepar.ensemble.study_calibration import shipped_calibration
from hepar.imaging.letterbox import LetterboxTransform
from hepar.imaging.volume import VolumeGeometry
from tests.support.volumes import CALIBRATION, DETECTORS, Ellipsoid, box, boxes_of, evidence_of, organ_of, slices_of

GEOMETRY = VolumeGeometry((24, 72, 72), (5.0, 1.0, 1.0), (-100.0, -50.0, 20.0))
SMALL = Ellipsoid((6, 20, 20), (15, 8, 7))
LARGE = Ellipsoid((14, 45, 50), (25, 16, 13))


def analysed(evidence: VolumeEvidence) -> VolumeAnalysis:
    return analyse_volume(evidence, "study", 1, CALIBRATION)


def test_two_ellipsoids_come_out_as_two_lesions_largest_first() -> None:
    analysis = analysed(evidence_of(GEOMETRY, SMALL, LARGE))
    large, small = analysis.lesions
    assert (large.id, small.id) == ("L1", "L2")
    for lesion, solid in ((large, LARGE), (small, SMALL)):
        assert lesion.long_axis.length_mm == pytest.approx(2 * solid.radii_mm[1], abs=1)
        assert lesion.short_axis.length_mm == pytest.approx(2 * solid.radii_mm[2], abs=1)
        assert lesion.volume_ml == pytest.approx(solid.volume_ml, rel=0.08)
        expected = GEOMETRY.to_patient_mm(np.array([solid.centre]))[0]
        assert lesion.centre_mm == pytest.approx(tuple(expected), abs=0.3)
        assert lesion.key_slice == round(solid.centre[0])
        assert lesion.measured_on == "mask"
        assert (lesion.detectors, lesion.agreement) == (DETECTORS, 2)
        assert lesion.liver_share == 1
        assert lesion.label == "metastasis"
        assert lesion.measurable
    assert (small.first_slice, small.last_slice) == (3, 9)
    assert set(analysis.masks) == {"L1", "L2"}


def test_the_volume_and_the_mask_for_dicom_agree() -> None:
    analysis = analysed(evidence_of(GEOMETRY, SMALL, LARGE))
    for lesion in analysis.lesions:
        mask = analysis.masks[lesion.id]
        voxels = sum(int(mask.in_slice(index, (72, 72)).sum()) for index in range(24))
        assert lesion.volume_ml == pytest.approx(voxels * GEOMETRY.voxel_ml, rel=0.03)


def test_burden_is_the_sum_of_the_lesions_and_a_share_of_the_liver() -> None:
    analysis = analysed(evidence_of(GEOMETRY, SMALL, LARGE))
    decision = analysis.decision
    assert decision.tumour_ml == pytest.approx(sum(lesion.volume_ml or 0 for lesion in analysis.lesions), abs=1e-3)
    assert decision.liver_ml == pytest.approx(24 * 72 * 72 * 5 / 1000, abs=0.1)
    assert decision.tumour_ml is not None
    assert decision.liver_ml is not None
    assert decision.tumour_percent == pytest.approx(100 * decision.tumour_ml / decision.liver_ml, abs=0.01)


def test_without_masks_lesions_are_measured_on_boxes() -> None:
    analysis = analysed(evidence_of(GEOMETRY, LARGE, masks=False))
    (lesion,) = analysis.lesions
    assert (lesion.measured_on, lesion.volume_ml, lesion.liver_share, lesion.lobe) == ("box", None, None, None)
    assert lesion.long_axis.length_mm == pytest.approx(32, abs=1)
    assert analysis.masks == {}
    assert (analysis.decision.liver_ml, analysis.decision.tumour_ml, analysis.decision.tumour_percent) == (None,) * 3


def test_nothing_found_is_no_tumour() -> None:
    evidence = replace(evidence_of(GEOMETRY), slices=slices_of(24, tumour=0.02))
    analysis = analysed(evidence)
    assert analysis.lesions == []
    decision = analysis.decision
    assert (decision.outcome, decision.tumour, decision.label) == ("decided", False, "no_tumour")
    assert (decision.certainty, decision.tumour_ml, decision.tumour_percent) == ("high", 0, 0)


def test_without_slices_of_the_liver_the_volume_is_out_of_scope() -> None:
    analysis = analysed(replace(evidence_of(GEOMETRY, LARGE), slices=[]))
    assert (analysis.lesions, analysis.decision.outcome, analysis.decision.key_slices) == ([], "out_of_scope", [])
    assert analysis.decision.certainty is None


def test_improbable_candidates_are_left_out_and_not_counted() -> None:
    evidence = evidence_of(GEOMETRY, LARGE)
    weak = [item.model_copy(update={"score": 0.05}) for item in boxes_of(SMALL.voxels(GEOMETRY))]
    analysis = analysed(replace(evidence, boxes=[*evidence.boxes, *weak]))
    assert len(analysis.lesions) == 1
    assert analysis.decision.tumour_ml == analysis.lesions[0].volume_ml


def test_the_lobe_is_that_side_of_two_thirds_of_the_liver() -> None:
    """A block of liver over columns 0 to 71: the right lobe ends at 65 % of its volume, column 47."""
    right = Ellipsoid((12, 36, 30), (15, 8, 8))
    left = Ellipsoid((12, 36, 62), (15, 8, 8))
    lobes = {round(lesion.centre_mm[0]): lesion.lobe for lesion in analysed(evidence_of(GEOMETRY, right, left)).lesions}
    assert lobes == {-70: "right", -38: "left"}


def test_a_lesion_half_outside_of_the_liver_has_half_its_boxes_inside() -> None:
    liver = np.zeros(GEOMETRY.shape, dtype=bool)
    liver[:, :, :50] = True
    linked = LinkedBoxes((box(10, (40, 40, 60, 60)), box(11, (40, 40, 60, 60))), ())
    assert share_in_liver(linked, organ_of(np.zeros_like(liver), liver), GEOMETRY) == 0.5


def test_the_shown_slices_include_the_masks_ends() -> None:
    """The detectors missed the two slices at the ends."""
    evidence = evidence_of(GEOMETRY, LARGE)
    middle = [item for item in evidence.boxes if 11 <= item.slice <= 17]
    (lesion,) = analysed(replace(evidence, boxes=middle)).lesions
    assert (lesion.first_slice, lesion.last_slice) == (9, 19)
    assert [item.slice for item in lesion.boxes] == list(range(11, 18))


@settings(max_examples=25)
@given(st.randoms(use_true_random=False))
def test_the_order_of_boxes_and_slices_does_not_matter(random: Random) -> None:
    evidence = evidence_of(GEOMETRY, SMALL, LARGE)
    boxes, slices = list(evidence.boxes), list(evidence.slices)
    random.shuffle(boxes)
    random.shuffle(slices)
    one, other = analysed(evidence), analysed(replace(evidence, boxes=boxes, slices=slices))
    assert one.lesions == other.lesions
    assert one.decision == other.decision


@settings(max_examples=25)
@given(st.tuples(*[st.floats(-300, 300)] * 3))
def test_moving_the_volume_moves_all_centres(by: tuple[float, float, float]) -> None:
    evidence = evidence_of(GEOMETRY, SMALL, LARGE)
    origin = tuple(np.add(GEOMETRY.origin_mm, by))
    moved = replace(evidence, geometry=replace(GEOMETRY, origin_mm=(origin[0], origin[1], origin[2])))
    for one, other in zip(analysed(evidence).lesions, analysed(moved).lesions, strict=True):
        assert np.subtract(other.centre_mm, one.centre_mm) == pytest.approx(by, abs=0.011)
        assert (one.volume_ml, one.key_slice, one.lobe) == (other.volume_ml, other.key_slice, other.lobe)


@settings(max_examples=25)
@given(st.integers(10, 18))
def test_one_missing_slice_changes_neither_number_nor_volume(missing: int) -> None:
    evidence = evidence_of(GEOMETRY, LARGE)
    (whole,) = analysed(evidence).lesions
    (lesion,) = analysed(replace(evidence, boxes=[item for item in evidence.boxes if item.slice != missing])).lesions
    assert lesion.volume_ml == pytest.approx(whole.volume_ml, rel=0.02)
    assert lesion.probability < whole.probability


def test_tracking_uids_are_the_same_for_the_same_result_only() -> None:
    uid = tracking_uid("0b0e7f0a", 1, "L1")
    assert uid == tracking_uid("0b0e7f0a", 1, "L1")
    assert uid.startswith("2.25.")
    assert len(uid) <= 64
    others = {tracking_uid("0b0e7f0a", 2, "L1"), tracking_uid("0b0e7f0a", 1, "L2"), tracking_uid("other", 1, "L1")}
    assert len(others | {uid}) == 4
    (lesion,) = analysed(evidence_of(GEOMETRY, LARGE)).lesions
    assert lesion.tracking_uid == tracking_uid("study", 1, "L1")


def test_types_pool_boxes_and_classifiers_by_hand() -> None:
    """Boxes: metastasis 0.8 of the scores, weight 0.5. Classifiers: 0.6 on the one slice, weight 1."""
    boxes = (box(3, (0, 0, 10, 10), 0.8, "metastasis"), box(3, (0, 0, 10, 10), 0.2, "cholangiocarcinoma"))
    (answer,) = slices_of(1, 0.7, {"metastasis": 0.6, "cholangiocarcinoma": 0.4})
    types = lesion_types(LinkedBoxes(boxes[:1], boxes), {3: answer}, CALIBRATION)
    ratio = (0.8 / 0.2) ** 0.5 * (0.6 / 0.4)
    assert types == pytest.approx({"metastasis": ratio / (1 + ratio), "cholangiocarcinoma": 1 / (1 + ratio)})


def test_types_average_slices_by_tumour_probability_and_area() -> None:
    boxes = (box(0, (0, 0, 10, 10)), box(1, (0, 0, 20, 10)))
    sure = slices_of(2, 0.9, {"metastasis": 1.0, "cholangiocarcinoma": 0.0})[0]
    unsure = slices_of(2, 0.1, {"metastasis": 0.0, "cholangiocarcinoma": 1.0})[1]
    only_classifiers = CALIBRATION.model_copy(update={"box_label_weight": 0.0})
    types = lesion_types(LinkedBoxes(boxes, boxes), {0: sure, 1: unsure}, only_classifiers)
    assert types["metastasis"] == pytest.approx(0.9 * 100 / (0.9 * 100 + 0.1 * 200))


def test_no_source_rules_a_type_out() -> None:
    boxes = (box(0, (0, 0, 10, 10)),)
    (against,) = slices_of(1, 0.9, {"metastasis": 0.0, "cholangiocarcinoma": 1.0})
    types = lesion_types(LinkedBoxes(boxes, boxes), {0: against}, CALIBRATION)
    assert types["metastasis"] == pytest.approx(LOWEST_SHARE / (LOWEST_SHARE + LOWEST_SHARE**0.5))


def test_features_by_hand() -> None:
    evidence = evidence_of(GEOMETRY, LARGE)
    (candidate,) = find_candidates(evidence)
    features = candidate.features
    assert features["score"] == pytest.approx(0.8)
    assert features["extent"] == pytest.approx(np.log1p(len(evidence.boxes)))
    assert features["agreement"] == 2
    assert features["mask_share"] == pytest.approx(np.pi / 4, abs=0.03)
    (without,) = find_candidates(replace(evidence, organ=None))
    assert (without.features["mask_share"], without.features["liver_share"]) == (0.5, 1.0)


def test_a_long_study_stays_within_its_memory() -> None:
    """600 slices at the network's input size: 79 MB of masks, and less than 220 MB more while they are analysed."""
    shares = np.zeros((600, 2, 256, 256), dtype=np.uint8)
    shares[100:300, 0, 60:200, 40:180] = 255
    shares[150:250, 1, 80:180, 60:160] = 255
    organ = OrganVolume(shares, LetterboxTransform(0, 0, 0.5, 256, 256, 512, 512), 0.5)
    boxes = [box(index, (120, 160, 320, 360)) for index in range(150, 250)]
    geometry = VolumeGeometry((600, 512, 512), (1.0, 0.8, 0.8))
    tracemalloc.start()
    analysis = analysed(VolumeEvidence(geometry, boxes, slices_of(600), organ))
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(analysis.lesions) == 1
    assert peak_bytes < 220e6


def test_a_lesion_is_a_valid_document() -> None:
    for lesion in analysed(evidence_of(GEOMETRY, SMALL, LARGE)).lesions:
        assert Lesion.model_validate_json(lesion.model_dump_json()) == lesion


def test_the_shipped_calibration_prefers_strong_evidence() -> None:
    """More of each kind of evidence never makes a lesion less probable."""
    model = shipped_calibration().lesion
    weak = {"score": 0.2, "extent": 0.7, "mask_share": 0.0, "liver_share": 0.3, "agreement": 1.0}
    strong = {"score": 0.8, "extent": 2.0, "mask_share": 0.8, "liver_share": 1.0, "agreement": 3.0}
    assert model.probability(weak) < 0.5 < model.probability(strong)
    for name in model.weights:
        assert model.probability(weak) <= model.probability(weak | {name: strong[name]})
