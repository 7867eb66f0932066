"""The commands classify, detect and analyse: many files, several at once."""

from __future__ import annotations

import argparse
import csv
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from pathlib import Path

from tqdm import tqdm

from hepar_client.cli import output
from hepar_client.cli.exit_codes import ExitCode
from hepar_client.cli.image_files import FoundFiles, find_images
from hepar_client.cli.results import COLUMNS, FileResult, json_line, sentence, table_row, write_pictures
from hepar_client.contracts.base import RESEARCH_USE_NOTICE
from hepar_client.errors import HeparProblem
from hepar_client.options import Options
from hepar_client.sync_client import Hepar

REQUESTS_AT_ONCE = 4


def run(hepar: Hepar, arguments: argparse.Namespace) -> ExitCode:
    found = find_images(arguments.paths)
    _report_skipped(found)
    if not found.images:
        print("there is no image to send", file=sys.stderr)
        return ExitCode.WRONG_USE
    failed = bool(found.skipped)
    folder: Path | None = arguments.annotate
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    with _table(arguments.csv) as add_row:
        for result in _results(hepar, arguments.command, found.images, _options(arguments)):
            failed = failed or bool(result.problems)
            if arguments.json:
                print(json_line(result), flush=True)
            elif arguments.csv is None:
                print(sentence(result), flush=True)
            if add_row is not None:
                add_row(result)
            if folder is not None:
                write_pictures(result, folder)
    if not arguments.json and arguments.csv is None:
        print(RESEARCH_USE_NOTICE)
    return ExitCode.SOME_FAILED if failed else ExitCode.DONE


def _report_skipped(found: FoundFiles) -> None:
    for path, reason in found.skipped:
        print(f"skipped {path}: {reason}", file=sys.stderr)
    if found.skipped:
        print(f"{len(found.skipped)} skipped, {len(found.images)} to send", file=sys.stderr)


def _options(arguments: argparse.Namespace) -> Options:
    pictures = arguments.annotate is not None
    classified, detected = arguments.command != "detect", arguments.command != "classify"
    return Options(
        vote=arguments.vote if classified else None,
        fusion=arguments.fusion if detected else None,
        explain=pictures and classified,
        annotate=pictures and detected,
    )


def _results(hepar: Hepar, command: str, files: Sequence[Path], options: Options) -> Iterator[FileResult]:
    """In the order of the files. Raises HeparProblem where nobody is signed in, and what `Hepar` raises."""
    hepar.models()  # one request, before many fail for the same reason
    with ThreadPoolExecutor(REQUESTS_AT_ONCE) as pool:
        pending: deque[Future[FileResult]] = deque(
            pool.submit(_analyse_file, hepar, command, file, options) for file in files
        )
        try:
            with tqdm(total=len(files), unit="image", file=sys.stderr, disable=None) as progress:
                while pending:
                    result = pending.popleft().result()
                    progress.update()
                    yield result
        finally:
            for future in pending:
                future.cancel()


def _analyse_file(hepar: Hepar, command: str, file: Path, options: Options) -> FileResult:
    try:
        content = file.read_bytes()
    except OSError as error:
        return FileResult(file, unreadable=f"cannot be read: {error.strerror or error}")
    try:
        if command == "classify":
            return FileResult(file, classification=hepar.classify(content, options))
        if command == "detect":
            return FileResult(file, detection=hepar.detect(content, options))
        analysis = hepar.analyse(content, options)
        return FileResult(file, analysis.classification, analysis.detection)
    except HeparProblem as error:
        return FileResult(
            file,
            classification=error.problem if command != "detect" else None,
            detection=error.problem if command != "classify" else None,
        )


@contextmanager
def _table(target: str | None) -> Iterator[Callable[[FileResult], None] | None]:
    """Yields what adds a row to a file, or to standard output for `-`; None where no table is wanted."""
    if target is None:
        yield None
        return
    with (
        nullcontext(sys.stdout)
        if target == "-"
        else Path(target).open("w", encoding="utf-8", errors=output.ANY_NAME, newline="")
    ) as file:
        writer: csv.DictWriter[str] = csv.DictWriter(file, list[str](COLUMNS), restval="")
        writer.writeheader()

        def add_row(result: FileResult) -> None:
            writer.writerow(table_row(result))
            file.flush()

        yield add_row
