"""Tables on real patients, from slices whose boxes and lesions are written by hand; the page of a small data set."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hepar.contracts.cards import Ensemble, LiverGate
from tests.support import tiny_models
from tests.training.miniatures import Case, ct_series
from tests.training.support import run_training
from training.evaluation import real_patients
from training.evaluation.best_member import compared_with_best_member
from training.evaluation.judged_slices import Answer, Judged, RealSlice, TrueLesion
from training.segmenter.background import Background, Kind, Masks, start, write, write_backgrounds

BOX, ELSEWHERE = (0.1, 0.1, 0.2, 0.2), (0.7, 0.7, 0.9, 0.9)


def lesion(
    corners: tuple[float, ...] = BOX, size_mm: float = 15, *, left: bool = False, sure: bool = True
) -> TrueLesion:
    return TrueLesion(np.array(corners), size_mm, left, sure)


def real_slice(
    kind: Kind, *lesions: TrueLesion, patient: str = "1", domain: str = "msd", part: str = "test"
) -> RealSlice:
    item = Background(part, f"{patient}_{kind}", patient, domain, kind)
    return RealSlice(item, np.zeros((8, 8), dtype=np.uint8), None, lesions)


def answer(*rows: tuple[tuple[float, ...], float, float], tumour: float = 0.5) -> Answer:
    """rows: corners, score, share in the liver.  tumour: probability, all of it of a cholangiocarcinoma."""
    return Answer(
        np.array([corners for corners, _, _ in rows]).reshape(-1, 4),
        np.array([score for _, score, _ in rows]),
        np.array([inside for _, _, inside in rows]),
        np.array([tumour, 0, 1 - tumour]),
    )


def judged(*answers: Answer, gate: LiverGate | None = None) -> Judged:
    fusion = Ensemble(
        method="weighted_box_fusion",
        members={"a": 1.0},
        decision_threshold=0.4,
        overlap=0.5,
        metrics={},
        liver_gate=gate,
    )
    vote = Ensemble(method="soft_vote", members={"a": 1.0}, decision_threshold=0.6, metrics={})
    return Judged("shipped", fusion, vote, answers, {})


GATE = LiverGate(minimum_share=0.3, decision_threshold=0.2)


def cells(rows: list[list[str]], networks: str) -> dict[str, str]:
    (row,) = [row for row in rows[1:] if networks in row]
    return dict(zip(rows[0], row, strict=True))


def test_lesions_are_counted_by_certainty_side_and_size() -> None:
    slices = [
        real_slice("boxed", lesion(left=True, size_mm=9), lesion((0.5, 0.5, 0.6, 0.6), 25, sure=False)),
        real_slice("boxed", lesion(), patient="2"),
        real_slice("healthy", patient="3"),
        real_slice("unclear", patient="3"),
        real_slice("boxed", lesion(), part="validation"),
    ]
    answers = [
        answer((BOX, 0.5, 1.0), ((0.5, 0.5, 0.6, 0.6), 0.3, 1.0)),
        answer((BOX, 0.3, 0.1), (ELSEWHERE, 0.9, 1.0)),
        answer((ELSEWHERE, 0.5, 0.1), (BOX, 0.25, 1.0)),
        answer((ELSEWHERE, 0.9, 1.0)),
        answer(),
    ]
    rows = real_patients.operating_points(slices, [judged(*answers, gate=GATE)], "test")
    without = cells(rows, "shipped, without gate")
    assert (without["sure"], without["all"]) == ("1 of 2 (0.50)", "1 of 3 (0.33)")
    assert (without["sure, left"], without["sure, right"]) == ("1 of 1 (1.00)", "0 of 1 (0.00)")
    assert without["boxes a slice without a lesion"] == "1.000 (1 on 1)"
    gated = cells(rows, "shipped, with gate")
    assert (gated["threshold"], gated["sure"], gated["all"]) == ("0.2", "1 of 2 (0.50)", "2 of 3 (0.67)")
    assert [gated[name] for name, _, _ in real_patients.SIZES] == ["1 of 1 (1.00)", "0 of 1 (0.00)", "1 of 1 (1.00)"]
    assert gated["boxes a slice without a lesion"] == "1.000 (1 on 1)", "another box: that in the liver"


def test_a_repository_without_a_gate_has_one_operating_point() -> None:
    rows = real_patients.operating_points([real_slice("boxed", lesion())], [judged(answer((BOX, 0.5, 0.0)))], "test")
    assert [row[0] for row in rows[1:]] == ["shipped, without gate"]


def test_froc_takes_the_lowest_threshold_that_is_allowed() -> None:
    slices = [real_slice("boxed", lesion())] + [real_slice("healthy", patient=str(number)) for number in range(10)]
    answers = [answer((BOX, 0.3, 1.0)), answer((ELSEWHERE, 0.5, 0.0)), answer((ELSEWHERE, 0.35, 1.0)), *[answer()] * 8]
    repository = replace(judged(*answers, gate=GATE), members={"detect_a": tuple(answers[::-1])})
    rows = real_patients.froc(slices, [repository], "test")
    without, gated = cells(rows, "shipped, fused, without gate"), cells(rows, "shipped, fused, with gate")
    assert without["0.05 boxes a slice"] == "0 of 1 (0.00) at 0.51"
    assert without["0.1 boxes a slice"] == "0 of 1 (0.00) at 0.36"
    assert without["0.2 boxes a slice"] == "1 of 1 (1.00) at 0.02"
    assert gated["0.05 boxes a slice"] == "0 of 1 (0.00) at 0.36"
    assert gated["0.1 boxes a slice"] == "1 of 1 (1.00) at 0.02"
    assert cells(rows, "shipped, detect_a, without gate")["0.5 boxes a slice"] == "0 of 1 (0.00) at 0.02"


def test_the_fusion_is_compared_with_its_best_detector() -> None:
    """Fused, the lesion is found from 0.2 boxes a slice on; the better detector finds it at every rate."""
    slices = [real_slice("boxed", lesion())] + [real_slice("healthy", patient=str(number)) for number in range(10)]
    fused = (answer((BOX, 0.3, 1.0)), answer((ELSEWHERE, 0.5, 1.0)), answer((ELSEWHERE, 0.4, 1.0)), *[answer()] * 8)
    better, worse = (answer((BOX, 0.9, 1.0)), *fused[1:]), (answer(), *fused[1:])
    repository = replace(judged(*fused), members={"detect_a": worse, "detect_b": better})
    rows = compared_with_best_member(slices, [repository])
    assert rows[1:] == [["shipped, without gate", "test", "0.400", "detect_b", "1.000", "-0.600"]]
    alone = compared_with_best_member(slices, [judged(*fused, gate=GATE)])
    assert alone[1:] == [], "there is no detector to compare with"


def test_the_area_is_over_slices_and_over_patients() -> None:
    """Of the two patients, the one with the lesion has the higher probability on some slice."""
    slices = [
        real_slice("boxed", lesion(), patient="1"),
        real_slice("healthy", patient="1"),
        real_slice("healthy", patient="2"),
        real_slice("unclear", patient="2"),
    ]
    answers = [answer(tumour=value) for value in (0.4, 0.6, 0.3, 0.9)]
    rows = real_patients.tumour_area(slices, [judged(*answers)])
    row = cells(rows, "shipped")
    assert (row["test: slices"], row["test: patients"]) == ("0.500", "1.000")
    assert row["validation: slices"] == "not defined"


def test_other_domains_count_boxes_outside_of_the_liver_and_what_was_called() -> None:
    slices = [
        real_slice("outlined", lesion(size_mm=8), domain="crlm"),
        real_slice("outlined", domain="crlm"),
        real_slice("no_liver", domain="crlm"),
        real_slice("unclear", domain="series"),
    ]
    answers = [
        answer((BOX, 0.5, 1.0), tumour=0.9),
        answer((ELSEWHERE, 0.6, 0.2), (ELSEWHERE, 0.3, 0.4)),
        answer(),
        answer((BOX, 0.9, 0.0)),
    ]
    rows = real_patients.other_domains(slices, [judged(*answers, gate=GATE)])
    volume = cells([row for row in rows if row[0] != "series"], "shipped, without gate")
    assert (volume["regions found"], volume["10 mm and more"]) == ("1 of 1 (1.00)", "none known")
    assert volume["called a tumour"] == volume["called cholangiocarcinoma, decided"] == "1 of 1 (1.00)"
    assert volume["boxes a slice without a lesion"] == "0.500 (1 on 2)"
    assert (volume["boxes"], volume["of these outside of the liver"]) == ("2", "1")
    gated = cells([row for row in rows if row[0] != "crlm"], "shipped, with gate")
    assert (gated["regions found"], gated["boxes"]) == ("none known", "0")


def test_each_patient_has_a_row() -> None:
    slices = [real_slice("boxed", lesion()), real_slice("healthy"), real_slice("healthy", patient="2")]
    answers = [answer((BOX, 0.5, 1.0), tumour=0.7), answer((BOX, 0.9, 1.0)), answer(tumour=0.25)]
    first, second = real_patients.by_patient(slices, judged(*answers), "test")[1:]
    assert first == ["1", "2", "1 of 1 (1.00)", "1 of 1 (1.00)", "1 on 1", "0.70"]
    assert second == ["2", "1", "none known", "none known", "0 on 1", "0.25"]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The liver fills the image; a detector always finds the lesion's box, a classifier always says metastasis."""
    side = tiny_models.SIZE
    models = tmp_path / "models"
    tiny_models.write_classifier(models, "classify_a", (0.0, 2.0, 0.0))
    tiny_models.write_detector(models, "detect_a", (0.25, 0.25, 0.5, 0.5), 0.8, 0)
    tiny_models.write_segmenter(models, "segment_resunet")
    tiny_models.agree_on(models, ["classify_a"], method="soft_vote", decision_threshold=0.5)
    fusion = {"method": "weighted_box_fusion", "decision_threshold": 0.9, "overlap": 0.5, "member_threshold": 0.01}
    tiny_models.agree_on(models, ["detect_a"], **fusion)
    data = tmp_path / "data"
    start(data)
    liver, none = np.ones((side, side), dtype=bool), np.zeros((side, side), dtype=bool)
    masks, dark = (
        Masks(np.full((side, side), 150, np.uint8), liver, none),
        Masks(np.zeros((side, side), np.uint8), none, none),
    )
    corner, end = side // 4, side // 2
    boxed = [
        Background(part, f"{part}_boxed", part, "msd", "boxed", ((corner, corner, end, end),), (True,))
        for part in ("validation", "test")
    ]
    healthy = [Background(part, f"{part}_healthy", part, "msd", "healthy") for part in ("validation", "test")]
    trained = [
        Background("train", "train_healthy", "train", "msd", "healthy"),
        Background("train", "abdomen", "abdomen", "abdomen_pelvis", "no_liver"),
    ]
    write_backgrounds(
        data, [write(data, item, masks) for item in boxed] + [write(data, item, dark) for item in (*healthy, *trained)]
    )
    (data / "manifest.jsonl").write_text("")
    return tmp_path


def test_the_gate_is_fitted_and_the_page_compares_with_the_repository_before(run: Path) -> None:
    """The box is on every slice, but the lesion-free slices show no liver: with the gate, none is left there."""
    models, before = run / "models", run / "before"
    shutil.copytree(models, before)
    fitted = run_training(run, "segmenter", "gate", "--fit", "--pages", str(run / "pages"))
    assert fitted.returncode == 0, fitted.stderr
    card = json.loads((models / "detect_a" / "card.json").read_text())
    gate = card["ensemble"]["methods"]["weighted_box_fusion"]["liver_gate"]
    assert gate == {"minimum_share": 0.1, "decision_threshold": 0.02}
    assert "segmenter's mask of the liver" in (run / "pages" / "detect_a.md").read_text()
    ct_series(run / "series", Case(0), "somebody")
    judged = run_training(
        run, "judge", "--previous", str(before), "--series", str(run / "series"), "--out", str(run / "real.md")
    )
    assert judged.returncode == 0, judged.stderr
    page = (run / "real.md").read_text()
    assert page in judged.stdout
    assert "1 test patients: 1 lesions (1 sure) on 1 slices, and 1 slices without a lesion." in page
    rows = [line for line in page.splitlines() if line.startswith("| shipped, with gate | 0.02 |")]
    assert len(rows) == 2
    assert all("| 1 of 1 (1.00) |" in row and row.endswith("| 0.000 (0 on 1) |") for row in rows)
    assert "| before, without gate | 0.9 | 0 of 1 (0.00) |" in page
    assert "| before, with gate" not in page
    assert "| series | shipped, with gate |" in page
    abdomen = next(line for line in page.splitlines() if line.startswith("| abdomen_pelvis | shipped, without gate |"))
    assert "| 0.000 (0 on 1) |" in abdomen, "it trained the segmenter alone"


def test_each_repository_is_judged_with_its_own_segmenter(run: Path) -> None:
    """That of before sees the liver where the other sees none, so that its gate drops the box of the lesion."""
    before = run / "before"
    fitted = run_training(run, "segmenter", "gate", "--fit", "--pages", str(run / "pages"))
    assert fitted.returncode == 0, fitted.stderr
    shutil.copytree(run / "models", before)
    shutil.rmtree(before / "segment_resunet")
    tiny_models.write_segmenter(before, "segment_resunet", in_the_dark=True)
    page = run / "real.md"
    judged = run_training(run, "judge", "--previous", str(before), "--out", str(page))
    assert judged.returncode == 0, judged.stderr
    assert "| shipped, with gate | 0.02 | 1 of 1 (1.00) |" in page.read_text()
    assert "| before, with gate | 0.02 | 0 of 1 (0.00) |" in page.read_text()
    shutil.rmtree(before / "segment_resunet")
    judged = run_training(run, "judge", "--previous", str(before), "--out", str(page))
    assert judged.returncode == 0, judged.stderr
    assert "| before, with gate | 0.02 | 1 of 1 (1.00) |" in page.read_text()


def test_a_repository_without_fitted_detectors_is_refused(run: Path) -> None:
    file = run / "models" / "detect_a" / "card.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"ensemble": None}))
    for command in (("judge", "--out", str(run / "real.md")), ("segmenter", "gate", "--fit")):
        refused = run_training(run, *command)
        assert refused.returncode == 1
        assert "run `python -m training ensemble`" in refused.stderr
