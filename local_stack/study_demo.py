"""`make demo STUDY=path`: sends a study to the running stack, prints the patient's result, draws a contact sheet."""

from __future__ import annotations

import io
import sys
import time
import zipfile
from pathlib import Path

import httpx
from PIL import Image, ImageDraw

from hepar.contracts.base import RESEARCH_USE_NOTICE
from hepar.contracts.lesions import Lesion
from hepar.contracts.studies import STUDIES_PATH, Study
from hepar.contracts.study_results import StudyResult
from hepar.contracts.wording import probability_text
from local_stack.demo_client import DemoFailed, checked

_ENDED = ("finished", "failed", "cancelled")
_POLL_S = 1.0
_TIME_LIMIT_S = 3600.0
_SHEET_COLUMNS = 3
_TILE_PX, _CAPTION_PX = 320, 18
_BOX = (240, 70, 60)


def run_study(client: httpx.Client, path: Path, folder: Path) -> None:
    """client: signed in.  path: a ZIP, NIfTI or DICOM file, or a folder.  folder: for the contact sheet.

    Raises DemoFailed.
    """
    study = _sent(client, path, folder)
    print(f"Sent {study.images} images ({study.size_bytes / 1e6:.1f} MB) as study {study.id}.")
    started = time.monotonic()
    study = _ended(client, study)
    if study.status != "finished":
        reason = f"{study.problem.title}: {study.problem.detail}" if study.problem else study.status
        raise DemoFailed(f"the study was not analysed ({reason})")
    result = StudyResult.model_validate_json(checked(client.get(f"{STUDIES_PATH}/{study.id}/result")).content)
    print(f"Analysed in {time.monotonic() - started:.0f} s.\n\n" + "\n".join(study_lines(path, result)) + "\n")
    sheet = folder / "contact-sheet.png"
    _contact_sheet(client, study.id, result).save(sheet)
    print(f"Contact sheet: {sheet}")


def _sent(client: httpx.Client, path: Path, folder: Path) -> Study:
    if path.is_dir():
        path = _packed(path, folder / "study.zip")
    with path.open("rb") as file:
        headers = {"Content-Type": "application/octet-stream"}
        answer = client.post(STUDIES_PATH, params={"name": "Demo"}, content=file, headers=headers)
    return Study.model_validate_json(checked(answer).content)


def _packed(folder: Path, target: Path) -> Path:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for number, file in enumerate(sorted(file for file in folder.rglob("*") if file.is_file())):
            archive.write(file, f"{number:06}")
    return target


def _ended(client: httpx.Client, study: Study) -> Study:
    """Shows each stage once."""
    ends_at, stage = time.monotonic() + _TIME_LIMIT_S, ""
    while study.status not in _ENDED:
        if study.progress.stage != stage:
            stage = study.progress.stage
            print(f"  {stage} ...", file=sys.stderr, flush=True)
        if time.monotonic() > ends_at:
            raise DemoFailed(f"the study was not analysed within {_TIME_LIMIT_S:.0f} s")
        time.sleep(_POLL_S)
        study = Study.model_validate_json(checked(client.get(f"{STUDIES_PATH}/{study.id}")).content)
    return study


def study_lines(path: Path, result: StudyResult) -> list[str]:
    """The result as text; the first line is the headline."""
    chosen = [series for series in result.series if series.chosen]
    burden = []
    if result.tumour_ml is not None and result.liver_ml is not None:
        share = f"{result.tumour_percent or 0:.1f} %"
        burden = [f"Liver {result.liver_ml:.0f} ml, lesions {result.tumour_ml:.1f} ml ({share})"]
    return [
        f"{path.name}: {_decision(result)}",
        *burden,
        f"Lesions: {len(result.lesions) or 'none'}",
        *(f"  {_lesion_line(lesion)}" for lesion in result.lesions),
        *(f"Series: {series.description or series.id}, {series.reason}" for series in chosen),
        *(f"Note: {warning}" for warning in result.warnings),
        *(f"Did not answer: {model}" for model in result.missing_models),
        "",
        RESEARCH_USE_NOTICE,
    ]


def _decision(result: StudyResult) -> str:
    if result.outcome == "out_of_scope":
        return "out of scope, no slice shows a liver"
    if result.tumour is False:
        text = "no tumour"
    else:
        text = result.label or ("tumour, type undecided" if result.tumour else "undecided")
    if result.tumour_probability is None:
        return text
    return (
        f"{text} (probability of a tumour {probability_text(result.tumour_probability)}, certainty {result.certainty})"
    )


def _lesion_line(lesion: Lesion) -> str:
    volume = "" if lesion.volume_ml is None else f", {lesion.volume_ml:.1f} ml"
    size = f"{lesion.long_axis.length_mm:.0f} x {lesion.short_axis.length_mm:.0f} mm"
    return (
        f"{lesion.id}  {size}{volume}, {lesion.label or 'type undecided'}, "
        f"probability {probability_text(lesion.probability)}, slices {lesion.first_slice} to {lesion.last_slice}"
    )


def _contact_sheet(client: httpx.Client, study_id: str, result: StudyResult) -> Image.Image:
    """The most telling slices with the boxes of the lesions; the middle of the volume where there are none."""
    indices = [key.slice for key in result.key_slices] or [result.volume.slices // 2]
    rows = -(-len(indices) // _SHEET_COLUMNS)
    columns = min(len(indices), _SHEET_COLUMNS)
    sheet = Image.new("RGB", (columns * _TILE_PX, rows * (_TILE_PX + _CAPTION_PX)))
    for place, index in enumerate(indices):
        content = checked(client.get(f"{STUDIES_PATH}/{study_id}/slices/{index}.png")).content
        left, top = place % _SHEET_COLUMNS * _TILE_PX, place // _SHEET_COLUMNS * (_TILE_PX + _CAPTION_PX)
        sheet.paste(_tile(Image.open(io.BytesIO(content)), result, index), (left, top))
        ImageDraw.Draw(sheet).text((left + 4, top + _TILE_PX + 2), f"slice {index}", fill=(255, 255, 255))
    return sheet


def _tile(picture: Image.Image, result: StudyResult, index: int) -> Image.Image:
    tile = picture.convert("RGB")
    scale = _TILE_PX / max(tile.size)
    tile = tile.resize((round(tile.width * scale), round(tile.height * scale)))
    draw = ImageDraw.Draw(tile)
    for lesion in result.lesions:
        for box in lesion.boxes:
            if box.slice == index:
                corners = [edge * scale for edge in (box.x_min, box.y_min, box.x_max, box.y_max)]
                draw.rectangle(corners, outline=_BOX)
                draw.text((corners[0], max(corners[1] - 12, 0)), lesion.id, fill=_BOX)
    return tile
