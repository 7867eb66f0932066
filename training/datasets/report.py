"""The report on a collection: one HTML file with counts, sizes, intensities, samples, duplicates and faults."""

from __future__ import annotations

import base64
import html
import io
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import imagehash
import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from PIL import Image

from hepar.contracts.base import RESEARCH_USE_NOTICE
from training.datasets.collection import NamedFault, Record

NEAR_DUPLICATE_BITS = 4
SAMPLES_PER_LABEL = 8
NOT_USED = "not used"

mpl.use("Agg")


def write_report(
    records: Sequence[Record],
    faults: Sequence[NamedFault],
    folder: Path,
    split: Mapping[str, str] | None = None,
    leaks: Sequence[str] = (),
) -> Path:
    """Writes `<folder>/report.html` and returns its path.

    split: patient to part, if one was given.  leaks: one sentence per image that is in two parts of it.
    """
    split_section = [] if split is None else [("Split", _split_section(records, split, leaks))]
    corrections = Counter(correction for row in records for correction in row.corrections)
    sections = [
        ("Images by source and label", _table(("source", "label", "images", "patients"), _counts(records))),
        *split_section,
        ("Sizes", _figure(lambda: _draw_sizes(records))),
        ("Boxes by size", _figure(lambda: _draw_boxes(records))),
        ("Intensities", _figure(lambda: _draw_intensities(records, folder))),
        ("Samples", _figure(lambda: _draw_samples(records, folder))),
        ("Corrections", _table(("correction", "images"), corrections.most_common())),
        ("Exact and near duplicates", _table(("one", "other", "different bits"), find_duplicates(records, folder))),
        (
            "What could not be used",
            _table(("source", "file", "reason"), [(f.source, f.origin, f.reason) for f in faults]),
        ),
    ]
    body = "".join(f"<h2>{title}</h2>{content}" for title, content in sections)
    path = folder / "report.html"
    path.write_text(
        f"<!doctype html><html lang='en'><meta charset='utf-8'><title>Hepar: data report</title><style>{_STYLE}</style>"
        f"<h1>Data report</h1><p>{html.escape(RESEARCH_USE_NOTICE)}</p>{body}</html>"
    )
    return path


def find_duplicates(records: Sequence[Record], folder: Path) -> list[tuple[str, str, int]]:
    """Pairs of (nearly) identical images of different patients, with the number of different bits.

    Their perceptual hashes of 256 bits (imagehash.phash) differ in at most NEAR_DUPLICATE_BITS. Images of one patient
    are not compared: neighbouring slices are always similar.
    """
    if not records:
        return []
    bits = np.stack([imagehash.phash(Image.open(folder / row.path), hash_size=16).hash.ravel() for row in records])
    patients = np.array([row.patient for row in records])
    pairs: list[tuple[str, str, int]] = []
    for index in range(len(records) - 1):
        distances = (bits[index + 1 :] != bits[index]).sum(axis=1)
        similar = (distances <= NEAR_DUPLICATE_BITS) & (patients[index + 1 :] != patients[index])
        pairs += [
            (records[index].path, records[index + 1 + other].path, int(distances[other]))
            for other in np.flatnonzero(similar).tolist()
        ]
    return pairs


def _counts(records: Sequence[Record]) -> list[tuple[str, str, int, int]]:
    groups: dict[tuple[str, str], list[Record]] = {}
    for row in records:
        groups.setdefault((row.source, row.label or f"{NOT_USED}: {row.tumour_type}"), []).append(row)
    return [(*key, len(rows), len({row.patient for row in rows})) for key, rows in sorted(groups.items())]


def _split_section(records: Sequence[Record], split: Mapping[str, str], leaks: Sequence[str]) -> str:
    groups: dict[tuple[str, str], list[Record]] = {}
    for row in records:
        if row.label is not None and row.patient in split:
            groups.setdefault((split[row.patient], row.label), []).append(row)
    rows = [(*key, len(group), len({row.patient for row in group})) for key, group in sorted(groups.items())]
    leak_table = "<p>No image is in two parts, exactly or nearly.</p>"
    if leaks:
        leak_table = f"<p><strong>{len(leaks)} images leak between parts:</strong></p>" + _table(
            ("leak",), [(leak,) for leak in leaks]
        )
    return _table(("part", "label", "images", "patients"), rows) + leak_table


def _draw_sizes(records: Sequence[Record]) -> None:
    millimetres = [row.spacing_mm[0] for row in records if row.spacing_mm]
    plt.hist(millimetres, bins=30)
    plt.xlabel(f"pixel spacing, mm (known for {len(millimetres)} of {len(records)} images)")


def _draw_boxes(records: Sequence[Record]) -> None:
    sides: dict[str, list[float]] = {}
    for row in records:
        for x_min, y_min, x_max, y_max, kind, _ in row.boxes:
            sides.setdefault(kind, []).append(max(x_max - x_min, y_max - y_min) * (row.spacing_mm or (1, 1))[0])
    plt.xlabel("longer side of a box, mm (pixels if the spacing is not known)")
    if sides:
        plt.hist(list(sides.values()), bins=20, label=list(sides), stacked=True)
        plt.legend()


def _draw_intensities(records: Sequence[Record], folder: Path) -> None:
    for source in sorted({row.source for row in records}):
        rows = [row for row in records if row.source == source][:200]
        counts = sum(np.bincount(np.asarray(Image.open(folder / row.path)).ravel(), minlength=256) for row in rows)
        shares = np.asarray(counts, dtype=float)
        shares[0] = shares[-1] = 0  # air and bone would dominate the plot
        plt.plot(shares / max(shares.sum(), 1), label=source)
    plt.xlabel("grey level, without 0 and 255")
    plt.legend()


def _draw_samples(records: Sequence[Record], folder: Path) -> None:
    labels = sorted({row.label or NOT_USED for row in records})
    for row_number, label in enumerate(labels):
        rows = [row for row in records if (row.label or NOT_USED) == label]
        step = max(1, len(rows) // SAMPLES_PER_LABEL)
        for column, record in enumerate(rows[::step][:SAMPLES_PER_LABEL]):
            axes = plt.subplot(len(labels), SAMPLES_PER_LABEL, row_number * SAMPLES_PER_LABEL + column + 1)
            axes.imshow(Image.open(folder / record.path), cmap="gray", vmin=0, vmax=255)
            for x_min, y_min, x_max, y_max, _, _ in record.boxes:
                axes.add_patch(plt.Rectangle((x_min, y_min), x_max - x_min, y_max - y_min, fill=False, color="orange"))
            axes.set_axis_off()
            if column == 0:
                axes.set_title(label, loc="left", fontsize=8)


def _figure(draw: Callable[[], None]) -> str:
    plt.figure(figsize=(10, 4), dpi=110)
    draw()
    buffer = io.BytesIO()
    plt.savefig(buffer, format="png", bbox_inches="tight")
    plt.close()
    return f"<img alt='' src='data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}'>"


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    if not rows:
        return "<p>None.</p>"
    cells = "".join(f"<th>{html.escape(name)}</th>" for name in head)
    lines = "".join("<tr>" + "".join(f"<td>{html.escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{cells}</tr>{lines}</table>"


_STYLE = (
    "body{font:15px system-ui;margin:2em auto;max-width:70em}td,th{text-align:left;padding:.2em 1em .2em 0;"
    "border-bottom:1px solid #ccc}img{max-width:100%}"
)
