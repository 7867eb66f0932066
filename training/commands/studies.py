"""The command that evaluates whole studies."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from training.commands.context import Command, Context

if TYPE_CHECKING:
    from hepar.ensemble.lesions import VolumeEvidence
    from hepar.ensemble.study_calibration import StudyCalibration
    from training.evaluation.study_chain import StudyNetworks
    from training.evaluation.study_page import RealVolume
    from training.lesions import Label
    from training.simulated import SimulatedStudy

_FIRST_SEED_OF_FIT = 1000
_FIRST_SEED = 2000


class EvaluateStudies(Command):
    """Measure what is found in simulated studies, and show the result of real volumes."""

    studies: int = Field(
        default=24,
        ge=3,
        description="number of simulated studies: a third each without a tumour, "
        "with metastases, with cholangiocarcinoma",
    )
    fit: bool = Field(default=False, description="first fit the calibration on as many other studies, and write it")
    real: list[str] = Field(
        default=[],
        description="IMAGE=WORDS: a folder with a DICOM series or a NIfTI file, and what is known about it; left out "
        "where it does not exist",
    )
    out: Path = Field(default=Path("docs/evaluation/studies.md"), description="Markdown file for the page")

    def run(self, context: Context) -> None:
        from hepar.ensemble.lesions import analyse_volume
        from hepar.ensemble.study_calibration import CALIBRATION_FILE, shipped_calibration
        from hepar.ensemble.voting import Thresholds
        from training.evaluation.study_chain import StudyNetworks
        from training.evaluation.study_fitting import fit
        from training.evaluation.study_page import study_page, write_study_page
        from training.evaluation.study_scores import score_study

        networks, calibration = StudyNetworks.of(context.repository), shipped_calibration()
        if self.fit:
            studies = list(self._simulated(networks, _FIRST_SEED_OF_FIT))
            calibration = fit(studies, calibration, Thresholds.of(networks.vote))
            CALIBRATION_FILE.write_text(calibration.model_dump_json(indent=1) + "\n")
            print(CALIBRATION_FILE)
        scored = [
            score_study(study, analyse_volume(evidence, study.name, 1, calibration))
            for study, evidence in self._simulated(networks, _FIRST_SEED)
        ]
        real = [
            _real_volume(networks, text, calibration) for text in self.real if Path(text.partition("=")[0]).exists()
        ]
        page = study_page(scored, real, calibration)
        write_study_page(page, self.out)
        print(page)

    def _simulated(self, networks: StudyNetworks, first_seed: int) -> Iterator[tuple[SimulatedStudy, VolumeEvidence]]:
        """The same number of each label; a liver without room for its lesions is left out."""
        from training.simulated import simulate_study

        labels: tuple[Label | None, ...] = ("metastasis", "cholangiocarcinoma", None)
        for number in range(self.studies):
            try:
                study = simulate_study(first_seed + number, labels[number % 3])
            except ValueError as error:
                print(f"{first_seed + number}: {error}")
                continue
            evidence = networks.evidence(study.hu, study.geometry)
            print(f"{study.name}: {len(study.truth)} lesions, {len(evidence.boxes)} boxes", flush=True)
            yield study, evidence


def _real_volume(networks: StudyNetworks, text: str, calibration: StudyCalibration) -> RealVolume:
    from hepar.ensemble.lesions import analyse_volume
    from hepar.imaging.study import load_study
    from training.evaluation.study_page import RealVolume

    image, _, known = text.partition("=")
    path = Path(image)
    paths = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
    _, volume = load_study(paths)
    evidence = networks.evidence(volume.hu, volume.geometry)
    return RealVolume(path.name, known, analyse_volume(evidence, path.name, 1, calibration))
