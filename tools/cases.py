"""`python -m tools.cases FOLDER`: decodes the files of public bug reports and compares the outcomes with what is right.

FOLDER holds `cases.tsv` (name, report, input, expected, got, verdict) and `inputs/`, with each case's file by name.
Cases of the HTTP interface and of the command line have no file and are skipped. The column `expected` is prose; the
tables below translate its phrases, so that a new case of a known kind needs no code.
"""

from __future__ import annotations

import argparse
import csv
import io
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
from pydicom.errors import InvalidDicomError

from hepar.contracts.views import View
from hepar.imaging import decode
from hepar.imaging.errors import ImageError
from hepar.imaging.prepared import prepare

INPUT_VIEW = View(256, 256)
CORRELATION_MIN = 0.95
GREY_DIFFERENCE_MAX = 8.0


@dataclass(frozen=True)
class Outcome:
    """What became of a file: the input of the networks and the warnings, or the reason of a refusal.

    pixels: INPUT_VIEW uint8, None where the file was refused.
    as_stored: whether the image has the rows and columns of the file, so that it was not transposed.
    """

    pixels: np.ndarray | None
    warnings: tuple[str, ...] = ()
    refusal: str = ""
    as_stored: bool = True

    def describe(self) -> str:
        return f"refused: {self.refusal}" if self.pixels is None else " ".join(("read", *self.warnings))


Check = Callable[[Outcome, np.ndarray], bool]

# What a refusal or a warning has to mention, by the words that the expectation uses.
_WORDS: Sequence[tuple[str, str]] = (
    ("padding", r"[Pp]adding"),
    ("hounsfield", r"Hounsfield"),
    ("rescale ?slope", r"RescaleSlope"),
    ("rescale ?intercept", r"RescaleIntercept"),
    ("greyscale", r"grey"),
    ("ends too early", r"ends|incomplete"),
    ("floating point", r"floating"),
    ("preamble", r"preamble"),
    ("window it first", r"window it first"),
    ("bigtiff", r"BigTIFF"),
    ("12 bits", r"12"),
    ("16 bits", r"16"),
    (r"\bsigned", r"signed"),
)
_READ_AS_THE_PHANTOM = (
    r"\bphantom|is black|overlay ignored|^turned|own group counts|hu decide|^read\b|networks see|^signed"
    r"|first picture|lut's"
)
_REFUSED = r"^refused|refusal|^\d{3}\b"


def looks_like(outcome: Outcome, phantom: np.ndarray) -> bool:
    """The networks see what they see of the phantom, apart from compression and resampling."""
    if outcome.pixels is None or np.ptp(outcome.pixels) == 0:
        return False
    seen, reference = outcome.pixels.astype(float).ravel(), phantom.astype(float).ravel()
    correlation = float(np.corrcoef(seen, reference)[0, 1])
    return correlation >= CORRELATION_MIN and float(np.abs(seen - reference).mean()) <= GREY_DIFFERENCE_MAX


def alternatives(expected: str) -> list[Check]:
    """One check for each outcome that is right. Raises ValueError for a phrase that is in no table."""
    text, *conditions = expected.lower().split(";")
    no_lie = any("not: broken" in condition for condition in conditions)
    return [_check(part.strip(" ,)"), no_lie=no_lie) for part in re.split(r"[,(]?\s*\bor\b\s+", text)]


def _check(phrase: str, *, no_lie: bool) -> Check:
    required = [pattern for words, pattern in _WORDS if re.search(words, phrase)]
    if re.search(_REFUSED, phrase):
        return lambda outcome, _: outcome.pixels is None and _mentions(outcome.refusal, required, no_lie=no_lie)
    if re.search(r"as it lies in the file", phrase):
        return lambda outcome, _: outcome.as_stored and "axial" in " ".join(outcome.warnings)
    if re.search(r"does not deny it", phrase):
        return lambda outcome, _: bool(outcome.warnings) and "does not state" not in " ".join(outcome.warnings)
    if re.search(r"warning|told", phrase):
        picture = re.search(_READ_AS_THE_PHANTOM, phrase)
        patterns = required or ["."]
        return lambda outcome, phantom: (
            outcome.pixels is not None
            and _mentions(" ".join(outcome.warnings), patterns)
            and (not picture or looks_like(outcome, phantom))
        )
    if phrase == "the picture":
        return lambda outcome, _: outcome.pixels is not None
    if re.search(_READ_AS_THE_PHANTOM, phrase):
        return looks_like
    raise ValueError(f"no table has a check for {phrase!r}")


def _mentions(text: str, patterns: Sequence[str], *, no_lie: bool = False) -> bool:
    return all(re.search(pattern, text) for pattern in patterns) and not (no_lie and re.search(r"damaged|broken", text))


def outcomes(content: bytes) -> list[Outcome]:
    """One outcome per frame: a multi-frame object is right where each of its frames is."""
    try:
        header = pydicom.dcmread(io.BytesIO(content), stop_before_pixels=True)
    except InvalidDicomError:
        return [_outcome(content)]
    frames = int(header.get("NumberOfFrames") or 1)
    stored = (header.get("Rows"), header.get("Columns"))
    return [_outcome(content, index if frames > 1 else None, stored) for index in range(frames)]


def _outcome(content: bytes, frame: int | None = None, stored: tuple[int, int] | None = None) -> Outcome:
    try:
        image = decode(content, frame=frame)
    except ImageError as error:
        return Outcome(None, refusal=str(error))
    prepared = prepare(image, {INPUT_VIEW}, with_preview=False)
    as_stored = stored is None or image.pixels.shape == stored
    return Outcome(prepared.inputs[INPUT_VIEW].pixels, image.warnings, as_stored=as_stored)


def verdict(case: Mapping[str, str], content: bytes, phantom: np.ndarray) -> tuple[bool, str]:
    """Whether every frame came out right, and what was found."""
    found = outcomes(content)
    right = all(any(check(outcome, phantom) for check in alternatives(case["expected"])) for outcome in found)
    return right, "; ".join(dict.fromkeys(outcome.describe() for outcome in found))


def run(folder: Path) -> int:
    """Prints a line per case. Returns the exit code: 1 where a case is wrong, 2 where there is none."""
    with (folder / "cases.tsv").open(newline="", encoding="utf-8") as table:
        cases = list(csv.DictReader(table, delimiter="\t"))
    files = {case["name"]: folder / "inputs" / case["name"] for case in cases}
    controls = [case["name"] for case in cases if case["report"] == "control" and files[case["name"]].is_file()]
    if not controls:
        sys.stderr.write(f"{folder} has no control case with a file\n")
        return 2
    phantom = outcomes(files[controls[0]].read_bytes())[0].pixels
    if phantom is None:
        sys.stderr.write(f"the control case {controls[0]} is not read\n")
        return 1
    wrong = skipped = 0
    for case in cases:
        if not files[case["name"]].is_file():
            skipped += 1
            continue
        right, found = verdict(case, files[case["name"]].read_bytes(), phantom)
        wrong += not right
        sys.stdout.write(
            f"{'right' if right else 'WRONG'}  {case['name']}: expected {case['expected']}; found {found}\n"
        )
    sys.stdout.write(f"{len(cases) - skipped - wrong} right, {wrong} wrong, {skipped} without a file\n")
    return 1 if wrong else 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.cases", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    return run(parser.parse_args().folder)


if __name__ == "__main__":
    sys.exit(main())
