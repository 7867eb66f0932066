"""The commands `hepar study ...` about archives and record systems."""

from __future__ import annotations

import argparse
from typing import get_args

from hepar_client.cli.exit_codes import ExitCode
from hepar_client.cli.study_output import AddCommand, follow_study, print_document, show_study
from hepar_client.contracts.destinations import Send, SendRequest
from hepar_client.contracts.study_files import Language
from hepar_client.sync_client import Hepar


def add_commands(command: AddCommand) -> None:
    command("destinations", _destinations, "list the archives and record systems that results can be sent to")
    send_to = command("send-to", _send_to, "send the result of a study to a destination")
    send_to.add_argument("id", metavar="ID")
    send_to.add_argument("destination", metavar="DESTINATION")
    send_to.add_argument("--version", type=int, metavar="N", help="of the result; the newest by default")
    send_to.add_argument("--language", choices=get_args(Language), help="of the report; the destination's by default")
    send_to.add_argument(
        "--key-slice",
        type=int,
        action="append",
        metavar="N",
        help="index of a slice to show, from 0, instead of the result's; may be repeated",
    )
    command("sends", _sends, "list to which destinations a study was sent").add_argument("id", metavar="ID")
    fetch = command("fetch", _fetch, "have a study read from an archive and analysed")
    fetch.add_argument("archive", metavar="ARCHIVE")
    fetch.add_argument("study_uid", metavar="STUDY_INSTANCE_UID")
    fetch.add_argument("--wait", action="store_true", help="wait for the result and print it")


def _destinations(hepar: Hepar, arguments: argparse.Namespace) -> ExitCode:
    for found in hepar.studies.destinations().items:
        print_document(arguments, found, f"{found.name}  {found.kind}  {found.title}")
    return ExitCode.DONE


def _send_to(hepar: Hepar, arguments: argparse.Namespace) -> ExitCode:
    form = SendRequest(
        destination=arguments.destination,
        version=arguments.version,
        language=arguments.language,
        key_slices=arguments.key_slice,
    )
    queued = hepar.studies.send_to(arguments.id, form)
    print_document(arguments, queued, _line(queued))
    return ExitCode.DONE


def _sends(hepar: Hepar, arguments: argparse.Namespace) -> ExitCode:
    after: str | None = None
    while True:
        page = hepar.studies.sends(arguments.id, after=after)
        for send in page.items:
            print_document(arguments, send, _line(send))
        after = page.next
        if after is None:
            return ExitCode.DONE


def _fetch(hepar: Hepar, arguments: argparse.Namespace) -> ExitCode:
    study = hepar.studies.fetch(arguments.archive, arguments.study_uid)
    if arguments.wait:
        return show_study(hepar, arguments, follow_study(hepar, study.id))
    print_document(arguments, study, study.id)
    return ExitCode.DONE


def _line(send: Send) -> str:
    parts = [send.id, send.destination, send.status, f"version {send.version}", f"{send.created_at:%Y-%m-%d %H:%M} UTC"]
    return "  ".join([*parts, send.reason] if send.reason else parts)
