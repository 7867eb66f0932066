"""The aims for the networks, each with its figure of today: from the report, the real patients, and the models."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FEWEST = 10
"""A share of fewer lesions or slices says too little."""
_SHARE = re.compile(r"(\d+) of (\d+) \(")
_OPERATED = "shipped, with gate"
_BYTES_PER_MB = 10**6

Table = Sequence[Mapping[str, str]]
"""Rows by their column."""
Tables = Mapping[str, Table]


@dataclass(frozen=True)
class MeasuredAim:
    """aim, wanted, figure: for the table.  met: None where there are too few lesions to say.  topic: key of TRIED."""

    aim: str
    wanted: str
    figure: str
    met: bool | None
    topic: str = ""


@dataclass(frozen=True)
class Share:
    """hits of count."""

    hits: int
    count: int

    @classmethod
    def read(cls, cell: str) -> Share:
        """Of a cell such as `3 of 4 (0.75)`, or `none known`. Raises ValueError for another one."""
        if cell == "none known":
            return cls(0, 0)
        found = _SHARE.match(cell)
        if found is None:
            raise ValueError(f"not a share: {cell}")
        return cls(int(found.group(1)), int(found.group(2)))

    def __sub__(self, other: Share) -> Share:
        return Share(self.hits - other.hits, self.count - other.count)

    def __str__(self) -> str:
        return f"{self.hits} of {self.count} ({self.hits / self.count:.2f})" if self.count else "none known"

    def reaches(self, wanted: float) -> bool | None:
        return self.hits >= wanted * self.count if self.count >= FEWEST else None


def read_tables(page: str) -> dict[str, list[dict[str, str]]]:
    """The tables of a Markdown page that `real_page` wrote, by their heading; of equal headings the first table."""
    tables: dict[str, list[dict[str, str]]] = {}
    for section in page.split("\n## ")[1:]:
        heading, _, text = section.partition("\n")
        rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
        if rows:
            tables.setdefault(heading, [dict(zip(rows[0], row, strict=True)) for row in rows[1:]])
    return tables


def model_bytes(repository: Path) -> int:
    """Of all graphs of a model repository."""
    return sum(file.stat().st_size for file in repository.glob("*/*/model.onnx"))


def measured_aims(report: Mapping[str, Any], real: Tables, models: int) -> list[MeasuredAim]:
    """report: of `training.evaluation.comparison`.  real: the tables on real patients.  models: bytes of the graphs."""
    return [*_on_real_lesions(real), *_on_other_scanners(real), *_on_classification(report, real), _size(models)]


def _on_real_lesions(real: Tables) -> Iterator[MeasuredAim]:
    rate = "0.05 boxes a slice"
    froc = real["Sure lesions found, by boxes a slice without a lesion: test patients"]
    fused = _row(froc, networks="shipped, fused, with gate")[rate]
    found = Share.read(fused)
    yield MeasuredAim(
        "sure lesions found, with at most 0.05 boxes on a slice without a lesion",
        "at least 0.88",
        f"{found}, at the score {fused.rpartition(' ')[2]} that gives that rate",
        found.reaches(0.88),
        "false boxes",
    )
    operated = _row(real["Found at the thresholds of the cards: test patients"], networks=_OPERATED)
    sure, boxes = Share.read(operated["sure"]), operated["boxes a slice without a lesion"]
    reached = sure.reaches(0.88)
    yield MeasuredAim(
        "the same, at the score that is served",
        "at least 0.88 with at most 0.05",
        f"{sure} with {boxes}",
        None if reached is None else reached and float(boxes.split()[0]) <= 0.05,
        "false boxes",
    )
    left = [
        Share.read(_row(real[heading], networks=_OPERATED)["sure, left"])
        for heading in ("Found at the thresholds of the cards: test patients", "The same: validation patients")
        if heading in real
    ]
    both = Share(sum(item.hits for item in left), sum(item.count for item in left))
    yield MeasuredAim(
        "sure lesions in the left lobe, test and validation patients", "at least 0.8", str(both), both.reaches(0.8),
        "left lobe",
    )  # fmt: skip


def _on_other_scanners(real: Tables) -> Iterator[MeasuredAim]:
    others = real["Other scanners and hospitals"]
    for domain in ("lits_117", "crlm"):
        row = _row(others, domain=domain, networks=_OPERATED)
        large = Share.read(row["10 mm and more"])
        small = Share.read(row["regions found"]) - large
        yield MeasuredAim(
            f"`{domain}`: lesions of 10 mm and more", "at least 0.8", str(large), large.reaches(0.8), "small lesions"
        )
        yield MeasuredAim(
            f"`{domain}`: smaller lesions", "at least 0.4", str(small), small.reaches(0.4), "small lesions"
        )
    row = _row(others, domain="crlm", networks=_OPERATED)
    called, certain = (Share.read(row[name]) for name in ("called a tumour", "called cholangiocarcinoma, decided"))
    yield MeasuredAim(
        "`crlm`: lesion slices called a tumour", "at least 15", str(called), called.hits >= 15, "other scanners"
    )
    yield MeasuredAim(
        "`crlm`: called cholangiocarcinoma and decided", "0", str(certain), certain.hits == 0, "other scanners"
    )
    outside = int(_row(others, domain="crlm-ct-1004-41slice", networks=_OPERATED)["of these outside of the liver"])
    yield MeasuredAim(
        "`crlm-ct-1004`: boxes outside of the liver", "0", str(outside), outside == 0, "boxes outside of the liver"
    )


def _on_classification(report: Mapping[str, Any], real: Tables) -> Iterator[MeasuredAim]:
    area = _row(real["Tumour or none: area under the curve"], networks="shipped")
    for part in ("test", "validation"):
        value = area[f"{part}: slices"]
        yield MeasuredAim(
            f"tumour or none, area under the curve on real slices, {part} patients",
            "at least 0.96",
            f"{value} ({area[f'{part}: 95 % interval']})",
            float(value) >= 0.96,
            "tumour or none",
        )
    served = report["classification"]
    metrics = served["metrics"][served["default"]]
    for name, aim, least, topic in (
        ("accuracy", "accuracy over three labels, synthesised lesions", 0.9, "type"),
        ("size_matched_type_accuracy", "type, sizes matched, synthesised lesions", 0.85, "type"),
    ):
        yield MeasuredAim(aim, f"at least {least:g}", _interval(metrics[name]), metrics[name]["value"] >= least, topic)
    for name, aim in (("tumour_calibration_error", "tumour"), ("type_calibration_error", "type")):
        value = metrics[name]
        yield MeasuredAim(
            f"calibration error: {aim}", "at most 0.03", _interval(value), value["value"] <= 0.03, "calibration"
        )
    for ensemble, name in (("classification ensemble", "accuracy"), ("detection ensemble", "mean average precision")):
        losses = {
            perturbation: report["robustness"]["unchanged"][ensemble] - row[ensemble]
            for perturbation, row in report["robustness"].items()
        }
        worst = max(losses, key=lambda perturbation: losses[perturbation])
        yield MeasuredAim(
            f"largest loss of {name} on perturbed images, {ensemble}",
            "at most 0.03",
            f"{losses[worst]:.3f} ({worst})",
            losses[worst] <= 0.03,
            "perturbed images",
        )


def _size(models: int) -> MeasuredAim:
    size_mb = models / _BYTES_PER_MB
    return MeasuredAim("all graphs on disk", "at most 80 MB", f"{size_mb:.1f} MB", size_mb <= 80)


def _row(table: Table, **wanted: str) -> Mapping[str, str]:
    """The row with these cells. Raises ValueError without one."""
    for row in table:
        if all(row[column] == cell for column, cell in wanted.items()):
            return row
    raise ValueError(f"no row with {wanted}")


def _interval(metric: Mapping[str, float]) -> str:
    return f"{metric['value']:.3f} ({metric['low']:.3f} to {metric['high']:.3f})"
