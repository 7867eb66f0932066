"""The commands `hepar study ...`: whole studies."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import get_args

from tqdm import tqdm

from hepar_client.cli import sends
from hepar_client.cli.exit_codes import ExitCode
from hepar_client.cli.study_output import AddCommand, follow_study, print_document, show_study
from hepar_client.cli.study_texts import study_line
from hepar_client.contracts.studies import StudyStatus
from hepar_client.errors import HeparProblem
from hepar_client.study_calls import ExportOptions, StudyFilter, StudyOptions
from hepar_client.study_files import find_study
from hepar_client.sync_client import Hepar

_LISTED = 50


def add_commands(parser: argparse.ArgumentParser) -> None:
    """The commands below `hepar study`."""
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Callable[[Hepar, argparse.Namespace], ExitCode], text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text)
        added.add_argument("--json", action="store_true", help="print JSON documents")
        added.set_defaults(run=run)
        return added

    send = command("send", _send, "send a ZIP, a NIfTI file, or the DICOM files of a folder")
    send.add_argument("path", type=Path, metavar="FOLDER|ZIP|NIFTI")
    send.add_argument("--name", help="a name of your own, by which you find the study; no patient's name")
    send.add_argument("--series", help="analyse this series instead of the automatic choice")
    send.add_argument("--urgent", action="store_true", help="before the studies that wait")
    send.add_argument("--webhook", metavar="ID", help="call this registered webhook at the end")
    send.add_argument("--wait", action="store_true", help="wait for the result and print it")
    listed = command("list", _list, "list studies, newest first")
    listed.add_argument("--status", choices=get_args(StudyStatus))
    for name, text in (
        ("accession", "accession number"),
        ("from", "first day of the examination, YYYY-MM-DD"),
        ("to", "last day of the examination, YYYY-MM-DD"),
        ("label", "type of the tumour"),
        ("search", "name, accession number or pseudonym"),
    ):
        listed.add_argument(f"--{name}", dest=f"chosen_{name}", metavar="TEXT", help=text)
    listed.add_argument("--limit", type=int, default=_LISTED, help=f"at most so many; {_LISTED} by default")
    for name, run, text in (
        ("show", _show, "show a study and its result"),
        ("wait", _wait, "wait until a study has ended, and show it"),
        ("cancel", _cancel, "stop the analysis of a study"),
        ("delete", _delete, "delete a study with its images and results"),
    ):
        command(name, run, text).add_argument("id", metavar="ID")
    _add_downloads(command)
    sends.add_commands(command)


def _add_downloads(command: AddCommand) -> None:
    download = command("download", _download, "write result, masks and key slices of a study into a folder")
    download.add_argument("id", metavar="ID")
    download.add_argument("--to", type=Path, metavar="DIR", help="study-ID by default")
    download.add_argument(
        "--file",
        action="append",
        default=[],
        metavar="NAME",
        help="only this file, such as report.pdf; may be repeated",
    )
    download.add_argument("--language", choices=("en", "de"), default="en", help="of report.pdf and key images")
    export = command("export", _export, "write a study without identifiers into a ZIP, for research and training")
    export.add_argument("id", metavar="ID")
    export.add_argument("--deidentified", action="store_true", required=True, help="there is no other export")
    export.add_argument("--to", type=Path, metavar="ZIP", help="study-ID.zip by default")
    export.add_argument("--shifted-dates", action="store_true", help="retain dates, moved by a patient's days")
    export.add_argument("--characteristics", action="store_true", help="retain sex, age, size and weight")


def _send(hepar: Hepar, arguments: argparse.Namespace) -> ExitCode:
    files = find_study(arguments.path)
    if files.skipped:
        print(f"{files.skipped} files are not DICOM and are not sent", file=sys.stderr)
    options = StudyOptions(arguments.name, arguments.series, arguments.urgent, arguments.webhook)
    with tqdm(total=files.size_bytes, unit="B", unit_scale=True, file=sys.stderr, disable=None) as progress:
        study = hepar.studies.send(arguments.path, options, progress.update)
    if arguments.wait:
        return show_study(hepar, arguments, follow_study(hepar, study.id))
    print_document(arguments, study, study.id)
    return ExitCode.DONE


def _list(hepar: Hepar, arguments: argparse.Namespace) -> ExitCode:
    chosen = StudyFilter(
        accession=arguments.chosen_accession,
        date_from=arguments.chosen_from,
        date_to=arguments.chosen_to,
        status=arguments.status,
        label=arguments.chosen_label,
        search=arguments.chosen_search,
    )
    for study in islice(hepar.studies.all(chosen), arguments.limit):
        print_document(arguments, study, study_line(study))
    return ExitCode.DONE


def _show(hepar: Hepar, arguments: argparse.Namespace) -> ExitCode:
    return show_study(hepar, arguments, hepar.studies.get(arguments.id))


def _wait(hepar: Hepar, arguments: argparse.Namespace) -> ExitCode:
    return show_study(hepar, arguments, follow_study(hepar, arguments.id))


def _cancel(hepar: Hepar, arguments: argparse.Namespace) -> ExitCode:
    study = hepar.studies.cancel(arguments.id)
    print_document(arguments, study, study_line(study))
    return ExitCode.DONE


def _delete(hepar: Hepar, arguments: argparse.Namespace) -> ExitCode:
    hepar.studies.delete(arguments.id)
    return ExitCode.DONE


def _download(hepar: Hepar, arguments: argparse.Namespace) -> ExitCode:
    """result.json, masks.nii.gz, and each key slice as slice-N.png with its mask."""
    folder: Path = arguments.to or Path(f"study-{arguments.id}")
    if arguments.file:
        return _files(hepar, arguments, folder)
    result = hepar.studies.result(arguments.id)
    folder.mkdir(parents=True, exist_ok=True)
    written = [folder / "result.json"]
    written[0].write_text(result.model_dump_json(indent=1), encoding="utf-8")
    try:
        (folder / "masks.nii.gz").write_bytes(hepar.studies.masks(arguments.id))
        written.append(folder / "masks.nii.gz")
    except HeparProblem as error:
        if error.problem.status != 404:
            raise
        print("there are no masks: no segmenter answered", file=sys.stderr)
    for key_slice in result.key_slices:
        picture = folder / f"slice-{key_slice.slice}.png"
        picture.write_bytes(hepar.studies.slice_png(arguments.id, key_slice.slice))
        written.append(picture)
    for file in written:
        print(file)
    return ExitCode.DONE


def _files(hepar: Hepar, arguments: argparse.Namespace, folder: Path) -> ExitCode:
    folder.mkdir(parents=True, exist_ok=True)
    for name in arguments.file:
        file = folder / Path(name).name
        file.write_bytes(hepar.studies.file(arguments.id, name, language=arguments.language))
        print(file)
    return ExitCode.DONE


def _export(hepar: Hepar, arguments: argparse.Namespace) -> ExitCode:
    file: Path = arguments.to or Path(f"study-{arguments.id}.zip")
    options = ExportOptions(shifted_dates=arguments.shifted_dates, characteristics=arguments.characteristics)
    with tqdm(unit="B", unit_scale=True, file=sys.stderr, disable=None) as progress:
        hepar.studies.export(arguments.id, file, options, progress.update)
    print(file)
    return ExitCode.DONE
