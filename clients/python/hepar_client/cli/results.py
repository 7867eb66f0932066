"""The result of one file, and its forms: a table row, a sentence, a line of JSON, pictures."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hepar_client.contracts.analyses import Classification, Detection
from hepar_client.contracts.problems import Problem
from hepar_client.contracts.wording import probability_text
from hepar_client.file_types import has_image_suffix

COLUMNS = (
    "file", "outcome", "label", "probability", "agreeing_models", "voting_models", "boxes", "best_score", "longest_mm",
    "missing_models", "warnings", "problem",
)  # fmt: skip


@dataclass(frozen=True)
class FileResult:
    """The gateway's results or problems for one file. unreadable: why the file could not be read and was not sent."""

    file: Path
    classification: Classification | Problem | None = None
    detection: Detection | Problem | None = None
    unreadable: str | None = None

    @property
    def problems(self) -> list[str]:
        """Without repetitions: a problem of the whole request concerns both parts."""
        parts = [part for part in (self.classification, self.detection) if isinstance(part, Problem)]
        texts = [f"{part.title}: {part.detail}" for part in parts]
        return list(dict.fromkeys(texts + ([self.unreadable] if self.unreadable else [])))


def table_row(result: FileResult) -> dict[str, Any]:
    """Values by the names in COLUMNS."""
    row: dict[str, Any] = {"file": str(result.file)}
    classification, detection = result.classification, result.detection
    parts = [part for part in (classification, detection) if isinstance(part, Classification | Detection)]
    if isinstance(classification, Classification):
        for name in ("outcome", "label", "probability", "agreeing_models", "voting_models"):
            row[name] = getattr(classification, name)
    if isinstance(detection, Detection):
        boxes = detection.boxes
        lengths_mm = [box.longest_diameter_mm for box in boxes if box.longest_diameter_mm is not None]
        row |= {"boxes": len(boxes), "best_score": max((box.score for box in boxes), default=None)}
        row |= {"longest_mm": max(lengths_mm, default=None)}
    row["missing_models"] = " ".join(sorted({name for part in parts for name in part.missing_models}))
    row["warnings"] = " ".join(dict.fromkeys(text for part in parts for text in part.image.warnings))
    row["problem"] = "; ".join(result.problems)
    return row


def sentence(result: FileResult) -> str:
    row = table_row(result)
    phrases = []
    if "outcome" in row:
        agreement = f"{row['agreeing_models']} of {row['voting_models']} models agree"
        certainty = "" if row["probability"] is None else f" {probability_text(row['probability'])} ({agreement})"
        phrases.append(f"{row['label'] or row['outcome'].replace('_', ' ')}{certainty}")
    if "boxes" in row:
        best = f", best score {row['best_score']:.2f}" if row["boxes"] else ""
        size = "" if row["longest_mm"] is None else f", up to {row['longest_mm']:.0f} mm"
        phrases.append(f"{row['boxes']} {'box' if row['boxes'] == 1 else 'boxes'}{best}{size}")
    phrases += [row["problem"]] if row["problem"] else []
    phrases += [f"note: {row['warnings']}"] if row["warnings"] else []
    phrases += [f"without {row['missing_models']}"] if row["missing_models"] else []
    return f"{result.file}: " + "; ".join(phrases)


def json_line(result: FileResult) -> str:
    """ASCII; a byte of the file name that is not UTF-8 is a lone surrogate (PEP 383)."""
    document: dict[str, Any] = {"file": str(result.file)}
    for name in ("classification", "detection"):
        part = getattr(result, name)
        if part is not None:
            document[name] = part.model_dump(mode="json")
    if result.unreadable is not None:
        document["unreadable"] = result.unreadable
    return json.dumps(document)


def write_pictures(result: FileResult, folder: Path) -> None:
    """NAME-boxes.png and NAME-activation-map.png; numbered where files of several folders have one name."""
    pictures = {}
    if isinstance(result.detection, Detection) and result.detection.annotated_png:
        pictures["boxes"] = result.detection.annotated_png
    if isinstance(result.classification, Classification) and result.classification.explanation:
        pictures["activation-map"] = result.classification.explanation.overlay_png
    name = result.file.stem if has_image_suffix(result.file) else result.file.name  # a UID has dots, and no suffix
    for kind, content in pictures.items():
        target, number = folder / f"{name}-{kind}.png", 1
        while target.exists():
            number += 1
            target = folder / f"{name}-{number}-{kind}.png"
        target.write_bytes(base64.b64decode(content))
