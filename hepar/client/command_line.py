"""`hepar`: sign in, and send images, folders or DICOM series to a gateway."""

from __future__ import annotations

import argparse
import base64
import csv
import getpass
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError
from tqdm import tqdm

from hepar.client.errors import CannotReach, HeparProblem, UnexpectedAnswer
from hepar.client.files import NoImages, images_in
from hepar.client.requests import Options
from hepar.client.session import Hepar
from hepar.contracts.analyses import Analysis, Classification, Detection
from hepar.contracts.base import RESEARCH_USE_NOTICE
from hepar.contracts.cards import FusionMethod, VotingMethod
from hepar.contracts.problems import Problem
from hepar.contracts.tokens import AccessToken

DONE, SOME_FAILED, WRONG_USE, UNREACHABLE, SIGN_IN_FIRST = range(5)
DEFAULT_URL = "http://127.0.0.1:8080"
BATCH_CONCURRENCY = 4
COLUMNS = (
    "file", "outcome", "label", "probability", "agreeing_models", "voting_models", "boxes", "best_score", "longest_mm",
    "missing_models", "warnings", "problem",
)  # fmt: skip
Part = Classification | Detection


@dataclass(frozen=True)
class Result:
    """Of one file: what the gateway said, or why it said nothing."""

    file: Path
    classification: Classification | Problem | None = None
    detection: Detection | Problem | None = None

    @property
    def problems(self) -> list[Problem]:
        return [part for part in (self.classification, self.detection) if isinstance(part, Problem)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns 0 where every file was answered, 1 where some were not, 2 for wrong use, 3 for no gateway, 4 unsigned."""
    asked = _parser().parse_args(arguments)
    try:
        return int(asked.run(asked))
    except HeparProblem as error:
        print(error, file=sys.stderr)
        return SIGN_IN_FIRST if error.problem.status == 401 else SOME_FAILED
    except NoImages as error:
        print(error, file=sys.stderr)
        return WRONG_USE
    except (CannotReach, UnexpectedAnswer) as error:
        print(f"{asked.url}: {error}", file=sys.stderr)
        return UNREACHABLE
    except KeyboardInterrupt:
        return SOME_FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="hepar", description=__doc__, epilog=RESEARCH_USE_NOTICE)
    parser.add_argument("--url", default=os.environ.get("HEPAR_URL", DEFAULT_URL), help="the gateway; or HEPAR_URL")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    login = commands.add_parser("login", help="sign in; the password is asked for, or HEPAR_PASSWORD")
    login.add_argument("email", nargs="?")
    login.add_argument("--otp", help="code of the second factor")
    login.add_argument("--client-id", help="a hospital system's; its secret is asked for, or HEPAR_CLIENT_SECRET")
    login.set_defaults(run=_login)
    commands.add_parser("logout", help="forget the tokens").set_defaults(run=_logout)
    commands.add_parser("whoami", help="the account that is signed in").set_defaults(run=_whoami)
    commands.add_parser("models", help="the models, and which of them answer").set_defaults(run=_models)
    for name, text in (
        ("classify", "cholangiocarcinoma, metastasis or no tumour"),
        ("detect", "boxes of lesions"),
        ("analyse", "both"),
    ):
        command = commands.add_parser(name, help=f"{text}, of files, folders or DICOM series")
        command.add_argument("paths", nargs="+", type=Path, metavar="PATH")
        command.add_argument("--json", action="store_true", help="one JSON document a line, as the gateway says it")
        command.add_argument("--csv", metavar="FILE", help="a table; - for standard output")
        command.add_argument("--annotate", metavar="DIR", type=Path, help="pictures with boxes and activation maps")
        command.add_argument("--vote", choices=get_args(VotingMethod))
        command.add_argument("--fusion", choices=get_args(FusionMethod))
        command.set_defaults(run=_analyse, command=name)
    return parser


def token_file() -> Path:
    """Of mode 600, under $XDG_CONFIG_HOME."""
    folder = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return folder / "hepar" / "tokens.json"


def _login(asked: argparse.Namespace) -> int:
    if not asked.email and not asked.client_id:
        print("give an e-mail address, or --client-id", file=sys.stderr)
        return WRONG_USE
    with Hepar(asked.url) as hepar:
        if asked.client_id:
            secret = os.environ.get("HEPAR_CLIENT_SECRET") or getpass.getpass("Secret: ")
            _keep(asked.url, hepar.sign_in_as_client(asked.client_id, secret))
        else:
            password = os.environ.get("HEPAR_PASSWORD") or getpass.getpass("Password: ")
            _keep(asked.url, hepar.sign_in(asked.email, password, asked.otp))
    print(f"Signed in at {asked.url}.")
    return DONE


def _logout(asked: argparse.Namespace) -> int:
    _keep(asked.url, None)
    return DONE


def _whoami(asked: argparse.Namespace) -> int:
    with _signed_in(asked.url) as hepar:
        account = hepar.me()
        _keep(asked.url, hepar.token)
    print(f"{account.email}, {account.role}")
    return DONE


def _models(asked: argparse.Namespace) -> int:
    with _signed_in(asked.url) as hepar:
        for model in hepar.models().models:
            state = "answers" if model.serving else "does not answer"
            print(f"{model.card.name:<24} {model.card.task:<16} {state:<16} {model.card.architecture}")
        _keep(asked.url, hepar.token)
    return DONE


def _analyse(asked: argparse.Namespace) -> int:
    files = images_in(asked.paths)
    wanted = asked.annotate is not None
    options = Options(
        vote=asked.vote if asked.command != "detect" else None,
        fusion=asked.fusion if asked.command != "classify" else None,
        explain=wanted and asked.command != "detect",
        annotate=wanted and asked.command != "classify",
    )
    failed = 0
    with _signed_in(asked.url) as hepar, _table(asked.csv) as table:
        for result in _results(hepar, asked.command, files, options):
            failed += bool(result.problems)
            if asked.json:
                print(_line(result))
            elif asked.csv is None:
                print(_sentence(result))
            if table is not None:
                table(result)
            if wanted:
                _write_pictures(result, asked.annotate)
        _keep(asked.url, hepar.token)
    if not asked.json and asked.csv is None:
        print(RESEARCH_USE_NOTICE)
    return SOME_FAILED if failed else DONE


def _results(hepar: Hepar, command: str, files: Sequence[Path], options: Options) -> Iterator[Result]:
    """In the order of the files; several are asked at once. Raises HeparProblem where one is not signed in."""
    ask = {"classify": _classified, "detect": _detected, "analyse": _analysed}[command]
    hepar.models()  # renews the token once, and says at once where one is not signed in
    with ThreadPoolExecutor(BATCH_CONCURRENCY) as pool:
        waiting = [pool.submit(_answered, ask, hepar, file, options) for file in files]
        try:
            for future in tqdm(waiting, unit="image", file=sys.stderr, disable=None):
                yield future.result()
        finally:
            for future in waiting:
                future.cancel()


def _answered(ask: Callable[[Hepar, Path, Options], Result], hepar: Hepar, file: Path, options: Options) -> Result:
    try:
        return ask(hepar, file, options)
    except HeparProblem as error:
        return Result(file, error.problem)


def _classified(hepar: Hepar, file: Path, options: Options) -> Result:
    return Result(file, hepar.classify(file, options))


def _detected(hepar: Hepar, file: Path, options: Options) -> Result:
    return Result(file, None, hepar.detect(file, options))


def _analysed(hepar: Hepar, file: Path, options: Options) -> Result:
    answer: Analysis = hepar.analyse(file, options)
    return Result(file, answer.classification, answer.detection)


def _row(result: Result) -> dict[str, Any]:
    row: dict[str, Any] = {"file": str(result.file)}
    parts = [part for part in (result.classification, result.detection) if isinstance(part, Part)]
    if isinstance(result.classification, Classification):
        said = result.classification
        row |= {"outcome": said.outcome, "label": said.label, "probability": said.probability}
        row |= {"agreeing_models": said.agreeing_models, "voting_models": said.voting_models}
    if isinstance(result.detection, Detection):
        boxes = result.detection.boxes
        sizes = [box.longest_diameter_mm for box in boxes if box.longest_diameter_mm is not None]
        row |= {"boxes": len(boxes), "best_score": max((box.score for box in boxes), default=None)}
        row |= {"longest_mm": max(sizes, default=None)}
    row["missing_models"] = " ".join(sorted({name for part in parts for name in part.missing_models}))
    row["warnings"] = " ".join(dict.fromkeys(text for part in parts for text in part.image.warnings))
    row["problem"] = "; ".join(dict.fromkeys(f"{problem.title}: {problem.detail}" for problem in result.problems))
    return row


def _sentence(result: Result) -> str:
    row = _row(result)
    said = []
    if "outcome" in row:
        agreement = f"{row['agreeing_models']} of {row['voting_models']} models agree"
        certainty = "" if row["probability"] is None else f" {row['probability']:.2f} ({agreement})"
        said.append(f"{row['label'] or row['outcome'].replace('_', ' ')}{certainty}")
    if "boxes" in row:
        best = "" if not row["boxes"] else f", best score {row['best_score']:.2f}"
        size = "" if row["longest_mm"] is None else f", up to {row['longest_mm']:.0f} mm"
        said.append(f"{row['boxes']} {'box' if row['boxes'] == 1 else 'boxes'}{best}{size}")
    said += [text for text in (row["problem"],) if text]
    said += [f"note: {row['warnings']}"] if row["warnings"] else []
    said += [f"without {row['missing_models']}"] if row["missing_models"] else []
    return f"{result.file}: " + "; ".join(said)


def _line(result: Result) -> str:
    document: dict[str, Any] = {"file": str(result.file)}
    for name in ("classification", "detection"):
        part = getattr(result, name)
        if part is not None:
            document[name] = part.model_dump(mode="json")
    return json.dumps(document)


@contextmanager
def _table(target: str | None) -> Iterator[Callable[[Result], None] | None]:
    """What writes a result as a row of a file, or of standard output for `-`; None where no table is wanted."""
    if target is None:
        yield None
        return
    with nullcontext(sys.stdout) if target == "-" else Path(target).open("w", newline="") as opened:
        writer: csv.DictWriter[str] = csv.DictWriter(opened, list[str](COLUMNS), restval="")
        writer.writeheader()
        yield lambda result: writer.writerow(_row(result))


def _write_pictures(result: Result, folder: Path) -> None:
    """STEM-boxes.png and STEM-evidence.png, numbered where several files have one stem."""
    folder.mkdir(parents=True, exist_ok=True)
    pictures = {}
    if isinstance(result.detection, Detection) and result.detection.annotated_png:
        pictures["boxes"] = result.detection.annotated_png
    if isinstance(result.classification, Classification) and result.classification.explanation:
        pictures["evidence"] = result.classification.explanation.overlay_png
    for kind, content in pictures.items():
        name, number = folder / f"{result.file.stem}-{kind}.png", 1
        while name.exists():
            number += 1
            name = folder / f"{result.file.stem}-{number}-{kind}.png"
        name.write_bytes(base64.b64decode(content))


def _signed_in(url: str) -> Hepar:
    return Hepar(url, _kept().get(url))


def _kept() -> dict[str, AccessToken]:
    """By gateway. An access token that is kept is renewed before it is used."""
    try:
        written = json.loads(token_file().read_text())
        return {url: AccessToken.model_validate(token | {"expires_in": 1}) for url, token in written.items()}
    except (OSError, ValueError, ValidationError, TypeError, AttributeError):
        return {}


def _keep(url: str, token: AccessToken | None) -> None:
    tokens = _kept() | ({url: token} if token else {})
    if token is None:
        tokens.pop(url, None)
    file = token_file()
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    written = file.with_suffix(".new")
    with os.fdopen(os.open(written, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as opened:
        json.dump({name: kept.model_dump() for name, kept in tokens.items()}, opened)
    written.replace(file)


if __name__ == "__main__":
    sys.exit(main())
