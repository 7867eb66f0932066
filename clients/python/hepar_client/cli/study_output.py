"""What the commands `hepar study ...` print."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from tqdm import tqdm

from hepar_client.cli.exit_codes import ExitCode
from hepar_client.cli.study_texts import result_lines, study_line
from hepar_client.contracts.base import RESEARCH_USE_NOTICE, Document
from hepar_client.contracts.studies import Study
from hepar_client.sync_client import Hepar

AddCommand = Callable[[str, Callable[[Hepar, argparse.Namespace], ExitCode], str], argparse.ArgumentParser]
"""Name, function and help of a command to its parser."""


def follow_study(hepar: Hepar, study_id: str) -> Study:
    """Shows a progress bar. Returns the study when it has ended."""
    with tqdm(unit="slice", file=sys.stderr, disable=None, desc="queued") as progress:
        for study in hepar.studies.follow(study_id):
            progress.set_description(study.progress.stage)
            progress.total = study.progress.slices_total
            progress.n = study.progress.slices_done
            progress.refresh()
    return hepar.studies.get(study_id)


def show_study(hepar: Hepar, arguments: argparse.Namespace, study: Study) -> ExitCode:
    """The result of a finished study, otherwise the study. SOME_FAILED where it failed."""
    if study.status != "finished":
        print_document(arguments, study, study_line(study))
        return ExitCode.SOME_FAILED if study.status in ("failed", "cancelled") else ExitCode.DONE
    result = hepar.studies.result(study.id)
    print_document(arguments, result, "\n".join([study_line(study), *result_lines(result), RESEARCH_USE_NOTICE]))
    return ExitCode.DONE


def print_document(arguments: argparse.Namespace, document: Document, text: str) -> None:
    print(document.model_dump_json() if arguments.json else text, flush=True)
