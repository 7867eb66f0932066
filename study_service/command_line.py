"""The commands of study_service: its API, its worker, and what operators run."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import Callable, Sequence

from hepar.core.errors import HeparError
from hepar.core.logs import configure_logging
from hepar.core.metrics import serve_metrics
from hepar.core.tracing import configure_tracing
from hepar.storage.database import open_database
from hepar.storage.encryption import BadKeyFile, Undecipherable, add_key, load_key_ring
from hepar.storage.hash_chain import BrokenChain, parsed_anchor
from study_service.access_chain import AccessChain
from study_service.key_rotation import rotate_keys
from study_service.migrations import MIGRATIONS
from study_service.settings import StudySettings


def run_command(settings: Callable[[], StudySettings], arguments: Sequence[str]) -> int:
    """Returns 0 on success, otherwise 1 with one line that names the reason. settings: read after the arguments."""
    parser = argparse.ArgumentParser(prog="python -m study_service")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("api", help="serve the HTTP API")
    commands.add_parser("worker", help="analyse queued studies until SIGTERM")
    commands.add_parser("listen", help="receive studies by DICOM C-STORE until SIGTERM")
    fetching = commands.add_parser("fetch", help="have an archive send studies to the listener by C-MOVE")
    fetching.add_argument("archive", help="name of a destination of kind dicom")
    which = fetching.add_mutually_exclusive_group(required=True)
    which.add_argument("--accession", metavar="NUMBER", help="the study with this accession number")
    which.add_argument("--priors-of", metavar="STUDY_ID", help="older CT studies of the patient of this study")
    fetching.add_argument("--count", type=int, default=2, help="priors at most (2)")
    migrating = commands.add_parser("migrate", help="migrate the database to the newest revision, or to another")
    migrating.add_argument("revision", nargs="?", default="head")
    rotating = commands.add_parser("rotate-key", help="encrypt all data keys again with the newest key of the file")
    rotating.add_argument("--new", action="store_true", help="first append a new key to the file")
    verifying = commands.add_parser("verify-accesses", help="verify the access log; names the first broken entry")
    verifying.add_argument("--anchor", metavar="NUMBER:HASH", help="an entry as it was logged")
    chosen = parser.parse_args(arguments)
    try:
        _run(chosen, settings())
    except HeparError as error:
        print(f"{error.title}: {error.detail}", file=sys.stderr)  # noqa: T201
        return 1
    except (BadKeyFile, BrokenChain, Undecipherable) as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    return 0


def _run(chosen: argparse.Namespace, settings: StudySettings) -> None:
    """Each process imports only what it runs: the worker no routes, the API no DBOS."""
    if chosen.command == "api":
        from hepar.web.app import run_app
        from study_service.app import create_app

        run_app("study_service", create_app(settings), settings)
    elif chosen.command == "worker":
        asyncio.run(_work(settings))
    elif chosen.command == "listen":
        asyncio.run(_listen(settings))
    elif chosen.command == "fetch":
        print(asyncio.run(_fetch(settings, chosen)))  # noqa: T201
    elif chosen.command == "migrate":
        asyncio.run(_migrate(settings, chosen.revision))
        print(f"the database is at {chosen.revision}")  # noqa: T201
    elif chosen.command == "verify-accesses":
        print(asyncio.run(_verify(settings, chosen.anchor)))  # noqa: T201
    else:
        print(asyncio.run(_rotate(settings, add=chosen.new)))  # noqa: T201


async def _work(settings: StudySettings) -> None:
    """SIGTERM and Ctrl-C give the studies in progress back; another worker continues them."""
    from study_service.worker import run_worker

    await run_worker(settings, _stop_of("study_worker", settings, settings.worker_metrics_port))


async def _listen(settings: StudySettings) -> None:
    """SIGTERM and Ctrl-C end associations; their peers send again what was not acknowledged."""
    from study_service.dicom_network.service import run_listener

    await run_listener(settings, _stop_of("study_listener", settings, settings.listen_metrics_port))


async def _fetch(settings: StudySettings, chosen: argparse.Namespace) -> str:
    from study_service.dicom_network.fetch import fetch_by_accession, fetch_priors

    if chosen.accession is not None:
        count = await fetch_by_accession(settings, chosen.archive, chosen.accession)
    else:
        count = await fetch_priors(settings, chosen.archive, chosen.priors_of, chosen.count)
    return f"{count} studies were sent to {settings.listen_ae_title}"


def _stop_of(process: str, settings: StudySettings, metrics_port: int) -> asyncio.Event:
    """Set by SIGTERM and Ctrl-C. Begins the logs, traces and metrics of the process."""
    configure_logging(process, settings.log_level)
    configure_tracing(process)
    serve_metrics(settings.host, metrics_port)
    stopping = asyncio.Event()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signal_number, stopping.set)
    return stopping


async def _migrate(settings: StudySettings, revision: str) -> None:
    async with open_database(settings.database_url, MIGRATIONS, "studies") as database:
        await database.migrate(revision)


async def _rotate(settings: StudySettings, *, add: bool) -> str:
    if add:
        load_key_ring(settings.key_file)
        add_key(settings.key_file)
    keys = load_key_ring(settings.key_file)
    async with open_database(settings.database_url, MIGRATIONS, "studies") as database:
        changed = await rotate_keys(database, keys)
    return f"{changed} data keys were encrypted again; the current key is {keys.current}"


async def _verify(settings: StudySettings, anchor: str | None) -> str:
    keys = load_key_ring(settings.key_file)
    async with open_database(settings.database_url, MIGRATIONS, "studies") as database:
        number, digest, unsealed = await AccessChain(database, keys).verify(parsed_anchor(anchor))
    return f"{number} entries, chain intact; the last one is {number}:{digest}; {unsealed} are not sealed yet"
