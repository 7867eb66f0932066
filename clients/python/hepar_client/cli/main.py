"""`hepar`: sign in, and send images, folders, DICOM series or whole studies to a gateway."""

from __future__ import annotations

import argparse
import getpass
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import get_args

import httpx

from hepar_client.cli import analyses, output, studies
from hepar_client.cli.exit_codes import ExitCode
from hepar_client.cli.image_files import NoSuchPath
from hepar_client.cli.interruption import Interrupted, Interruption
from hepar_client.cli.token_file import FileTokenStore
from hepar_client.contracts.base import RESEARCH_USE_NOTICE
from hepar_client.contracts.cards import FusionMethod, VotingMethod
from hepar_client.errors import GatewayUnreachable, HeparProblem, UnexpectedResponse
from hepar_client.study_files import NoStudy
from hepar_client.sync_client import Hepar

DEFAULT_URL = "http://127.0.0.1:8080"


def main(words: Sequence[str] | None = None) -> int:
    """Returns an ExitCode, or 128 plus the number of the signal that ended the command."""
    interruption = Interruption()
    interruption.install()
    output.prepare()
    arguments = _parser().parse_args(words)
    try:
        exit_code = int(_run(arguments, FileTokenStore(arguments.url, interruption)))
        output.finish()
    except Interrupted as interrupted:
        return interrupted.exit_code
    except BrokenPipeError:
        output.discard()
        return ExitCode.CLOSED_PIPE
    except OSError as error:
        print(error, file=sys.stderr)
        output.discard()
        return ExitCode.WRONG_USE
    return exit_code


def _run(arguments: argparse.Namespace, store: FileTokenStore) -> ExitCode:
    command: Callable[[Hepar, argparse.Namespace], ExitCode] = arguments.run
    try:
        with Hepar(arguments.url, store=store, client_credentials=_client_credentials()) as hepar:
            return command(hepar, arguments)
    except HeparProblem as error:
        print(error, file=sys.stderr)
        refused_grant = error.problem.error == "invalid_grant"
        unauthenticated = refused_grant or error.problem.status == httpx.codes.UNAUTHORIZED
        return ExitCode.SIGN_IN_FIRST if unauthenticated else ExitCode.SOME_FAILED
    except (NoSuchPath, NoStudy, httpx.InvalidURL) as error:
        print(error, file=sys.stderr)
        return ExitCode.WRONG_USE
    except (GatewayUnreachable, UnexpectedResponse) as error:
        print(f"{arguments.url}: {error}", file=sys.stderr)
        return ExitCode.UNREACHABLE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="hepar", description=__doc__, epilog=RESEARCH_USE_NOTICE)
    url = os.environ.get("HEPAR_URL", DEFAULT_URL)
    parser.add_argument("--url", default=url, type=_without_slash, help="address of the gateway; or HEPAR_URL")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    login = commands.add_parser("login", help="sign in; the password is read from a prompt or from HEPAR_PASSWORD")
    login.add_argument("email", nargs="?")
    login.add_argument("--otp", help="code of the second factor")
    login.add_argument("--client-id", help="of a hospital system; its secret: a prompt or HEPAR_CLIENT_SECRET")
    login.set_defaults(run=_login)
    commands.add_parser("logout", help="delete the stored token").set_defaults(run=_logout)
    commands.add_parser("whoami", help="show the account that is signed in").set_defaults(run=_whoami)
    commands.add_parser("models", help="list the models and their availability").set_defaults(run=_models)
    for name, text in (
        ("classify", "cholangiocarcinoma, metastasis or no tumour"),
        ("detect", "boxes of lesions"),
        ("analyse", "both"),
    ):
        command = commands.add_parser(name, help=f"{text}, for files, folders or DICOM series")
        command.add_argument("paths", nargs="+", type=Path, metavar="PATH")
        command.add_argument("--json", action="store_true", help="print one JSON document per line and file")
        command.add_argument("--csv", metavar="FILE", help="write a table; - for standard output")
        command.add_argument("--annotate", metavar="DIR", type=Path, help="write boxes and activation maps as pictures")
        command.add_argument("--vote", choices=get_args(VotingMethod), help="how the classifiers are combined")
        command.add_argument("--fusion", choices=get_args(FusionMethod), help="how the detectors are combined")
        command.set_defaults(run=analyses.run, command=name)
    studies.add_commands(commands.add_parser("study", help="send whole studies, list them, wait for their results"))
    return parser


def _without_slash(url: str) -> str:
    return url.rstrip("/")


def _client_credentials() -> tuple[str, str] | None:
    """With both variables set, a hospital system's token is renewed during a long batch."""
    client_id, secret = os.environ.get("HEPAR_CLIENT_ID"), os.environ.get("HEPAR_CLIENT_SECRET")
    return (client_id, secret) if client_id and secret else None


def _login(hepar: Hepar, arguments: argparse.Namespace) -> ExitCode:
    if arguments.client_id:
        secret = os.environ.get("HEPAR_CLIENT_SECRET") or getpass.getpass("Secret: ")
        hepar.sign_in_as_client(arguments.client_id, secret)
    elif arguments.email:
        password = os.environ.get("HEPAR_PASSWORD") or getpass.getpass("Password: ")
        hepar.sign_in(arguments.email, password, arguments.otp)
    else:
        print("name an e-mail address, or a hospital system with --client-id", file=sys.stderr)
        return ExitCode.WRONG_USE
    print(f"Signed in at {arguments.url}.")
    return ExitCode.DONE


def _logout(hepar: Hepar, _: argparse.Namespace) -> ExitCode:
    hepar.forget_token()
    return ExitCode.DONE


def _whoami(hepar: Hepar, _: argparse.Namespace) -> ExitCode:
    account = hepar.me()
    print(f"{account.email}, {account.role}")
    return ExitCode.DONE


def _models(hepar: Hepar, _: argparse.Namespace) -> ExitCode:
    for model in hepar.models().models:
        state = "available" if model.serving else "not available"
        print(f"{model.card.name:<24} {model.card.task:<16} {state:<16} {model.card.architecture}")
    return ExitCode.DONE


if __name__ == "__main__":
    sys.exit(main())
