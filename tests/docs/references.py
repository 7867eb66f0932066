"""Finds names in the documentation that do not exist: commands, settings, paths of the API, files, links."""

from __future__ import annotations

import importlib
import importlib.util
import io
import json
import re
import runpy
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeGuard
from unittest.mock import patch

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token
from prometheus_client.metrics import MetricWrapperBase
from pydantic_settings import BaseSettings

from hepar.contracts.slices import LIVER_PATH, SLICES_PATH
from hepar.core import metrics

ROOT = Path(__file__).resolve().parents[2]
SERVICES = ("GATEWAY", "AUTH", "CLASSIFY", "DETECT", "STUDY")
MAKE_TARGET = re.compile(r"(?:^|[\s;&|])make((?: +[a-z][a-z-]*)+)", re.MULTILINE)
PYTHON_MODULE = re.compile(r"python[0-9.]* -m ([\w.]+)")
PYTHON_NAME = re.compile(r"(?<![\w./-])(?<!-m )hepar(?!\.example|\.go\b)(?:\.[A-Za-z_]\w*)+")
METRIC = re.compile(r"\bhepar_(?!client\b)[a-z_]+\b")
COMMAND_LINE = re.compile(r"python[0-9.]* -m (auth_service|training|bench)\b((?: [^#`\n]*)?)")
VARIABLE = re.compile(r"HEPAR_(?:<SERVICE>_)?[A-Z][A-Z0-9_]*")
API_PATH = re.compile(r"(?<!\.\.\.)(?:/internal)?/v1(?:/[\w{}.-]+)*")
REPOSITORY_PATH = re.compile(r"(?<![\w/.<>*~$-])(?:\.\./)*[\w.-]+(?:/[\w.*<>-]+)*/?")
OTHER_API_PATHS = frozenset({"/v1/openapi.json", SLICES_PATH, LIVER_PATH})  # no operations of the public document
MADE_BY_COMMANDS = (
    "var/",
    "deploy/secrets",
    "web/dist",
    "web/node_modules",
    ".venv",
    "triton_models/<name>/versions.json",
)
SCRIPTS = (
    "docker-compose.yml",
    "Makefile",
    "deploy/",
    "clients/",
    "examples/",
    "auth_service/command_line.py",
)


@dataclass(frozen=True)
class Page:
    """code: inline code, fences and indented blocks. links: targets of links and images."""

    text: str
    code: tuple[str, ...]
    links: tuple[str, ...]


def read_page(text: str) -> Page:
    """Parses Markdown (CommonMark)."""
    tokens = list(_flat(MarkdownIt().enable("table").parse(text)))
    code = tuple(token.content for token in tokens if token.type in {"code_inline", "code_block", "fence"})
    links = tuple(
        str(token.attrs.get("href") or token.attrs.get("src"))
        for token in tokens
        if token.type in {"link_open", "image"}
    )
    return Page(text, code, links)


def _flat(tokens: list[Token]) -> Iterator[Token]:
    for token in tokens:
        yield token
        yield from _flat(token.children or [])


def dead_references(text: str, folder: Path = ROOT) -> list[str]:
    """One line for each name in the page that leads nowhere. folder: where the page lies; links are relative to it."""
    page = read_page(text)
    code = "\n".join(page.code)
    found = [
        f"make {target}"
        for names in MAKE_TARGET.findall(code)
        for target in names.split()
        if target not in make_targets()
    ]
    found += [f"python -m {module}" for module in PYTHON_MODULE.findall(code) if not _is_module(module)]
    found += [word for module, rest in COMMAND_LINE.findall(code) for word in _unknown_words(module, rest.split())]
    found += [name for name in PYTHON_NAME.findall(code) if not _is_python_name(name)]
    found += [name for name in METRIC.findall(code) if name not in metric_names() | secret_names()]
    found += [variable for variable in VARIABLE.findall(page.text) if not _is_variable(variable)]
    found += [path for path in API_PATH.findall(page.text) if not _is_api_path(path)]
    found += [path for span in page.code for path in _paths(span, folder) if not _is_file(path, folder)]
    found += [f"link {link}" for link in page.links if not _is_link(link, folder)]
    return found


@cache
def make_targets() -> frozenset[str]:
    return frozenset(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))


@cache
def tracked_files() -> frozenset[str]:
    """All files of the repository that git tracks or would track."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
    return frozenset(name for name in names if (ROOT / name).is_file())


@cache
def tracked_folders() -> frozenset[str]:
    return frozenset(str(parent) for name in tracked_files() for parent in Path(name).parents if parent != Path())


@cache
def setting_variables() -> dict[str, frozenset[str]]:
    """Prefix of each settings class to the variables that it reads."""
    variables: dict[str, frozenset[str]] = {}
    for name in sorted(tracked_files()):
        if not name.endswith("settings.py") or name.startswith(("tests/", "training/")):
            continue
        module = importlib.import_module(name.removesuffix(".py").replace("/", "."))
        for value in vars(module).values():
            prefix = value.model_config.get("env_prefix") if _is_settings_class(value) else None
            if prefix:
                variables[prefix] = frozenset(prefix + field.upper() for field in value.model_fields)
    return variables


def _is_settings_class(value: object) -> TypeGuard[type[BaseSettings]]:
    return isinstance(value, type) and issubclass(value, BaseSettings)


@cache
def script_variables() -> frozenset[str]:
    """Variables that Compose, the scripts and the command lines read."""
    texts = [
        (ROOT / name).read_text() for name in tracked_files() if name.startswith(SCRIPTS) and not name.endswith(".md")
    ]
    return frozenset(variable for text in texts for variable in re.findall(r"HEPAR_[A-Z0-9_]+", text))


@cache
def metric_names() -> frozenset[str]:
    """As Prometheus shows them."""
    declared = [
        metric
        for value in vars(metrics).values()
        if isinstance(value, MetricWrapperBase)
        for metric in value.describe()
    ]
    return frozenset(metric.name + ("_total" if metric.type == "counter" else "") for metric in declared)


@cache
def secret_names() -> frozenset[str]:
    """Files in deploy/secrets, keys of the Kubernetes Secret, and roles of PostgreSQL."""
    files = ("docker-compose.yml", "deploy/make-secrets", "deploy/helm/hepar/templates/services.yaml")
    texts = "".join((ROOT / name).read_text() for name in files)
    return frozenset(re.findall(r"\bhepar_[a-z_]+\b", texts))


@cache
def api_paths() -> frozenset[str]:
    document = json.loads((ROOT / "docs/openapi.json").read_text())
    return frozenset(re.sub(r"\{\w+\}", "{}", path) for path in document["paths"])


def _is_module(name: str) -> bool:
    parts = Path(*name.split("."))
    if str(parts) in tracked_folders():
        return f"{parts}/__main__.py" in tracked_files()
    return f"{parts}.py" in tracked_files() or (len(parts.parts) == 1 and importlib.util.find_spec(name) is not None)


@cache
def help_text(*command: str) -> str:
    """What `python -m COMMAND --help` prints. In this process: it takes a second to start another."""
    printed = io.StringIO()
    with patch.object(sys, "argv", [*command, "--help"]), redirect_stdout(printed), pytest.raises(SystemExit) as ended:
        runpy.run_module(command[0], run_name="__main__", alter_sys=True)
    assert not ended.value.code, command
    return printed.getvalue()


def _subcommands(*command: str) -> set[str]:
    return {name for group in re.findall(r"\{([a-z,-]+)\}", help_text(*command)) for name in group.split(",")}


def _unknown_words(module: str, words: list[str]) -> list[str]:
    """Subcommands and options of a command line that its help does not list; a subcommand may have its own."""
    own = next((word for word in words if word in _subcommands(module)), None)
    if own is None:
        first = next((word for word in words if not word.startswith("-") and not word.isupper()), None)
        return [] if first is None else [f"{module} {first}"]
    options = [word.lstrip("[").partition("=")[0] for word in words if word.lstrip("[").startswith("--")]
    text = help_text(module) + help_text(module, own) if options else ""
    inner = next((word for word in words[words.index(own) + 1 :] if word in _subcommands(module, own)), None)
    text += help_text(module, own, inner) if options and inner else ""
    return [f"{module} {own} {option}" for option in options if not re.search(rf"{option}\b", text)]


def _is_python_name(name: str) -> bool:
    """A module of the package hepar, or something in one."""
    owner, _, attribute = name.rpartition(".")
    module, owner_module = name.replace(".", "/"), owner.replace(".", "/")
    if module in tracked_folders() or f"{module}.py" in tracked_files():
        return True
    return f"{owner_module}.py" in tracked_files() and hasattr(importlib.import_module(owner), attribute)


def _is_variable(name: str) -> bool:
    if "<SERVICE>" in name:
        return all(_is_variable(name.replace("<SERVICE>", service)) for service in SERVICES)
    known = setting_variables()
    if any(name in variables for variables in known.values()):
        return True
    of_a_service = any(prefix != "HEPAR_" and name.startswith(prefix) for prefix in known)
    return not of_a_service and name in script_variables()


def _is_api_path(path: str) -> bool:
    path = re.sub(r"\{\w+\}", "{}", path.rstrip("."))
    return path == "/v1" or path in OTHER_API_PATHS or path in api_paths()


def _paths(code: str, folder: Path) -> Iterator[str]:
    """Names that look like files: the first part is a folder of the repository or of the page, or they end in .py."""
    for name in REPOSITORY_PATH.findall(code):
        first, _, rest = name.partition("/")
        in_repository = rest and (first in tracked_folders() or (folder / first).is_dir())
        bare_module = "/" not in name and re.fullmatch(r"\w+\.py", name)
        if (in_repository or bare_module or name.startswith("../")) and not name.startswith(MADE_BY_COMMANDS):
            yield name


def _is_file(name: str, folder: Path) -> bool:
    if "/" not in name:
        return any(Path(file).name == name for file in tracked_files())
    if name.startswith("../"):
        return name.startswith("../shared/") or (folder / name).exists()
    pattern = re.sub(r"<\w+>", "*", name.rstrip("/"))
    return any(ROOT.glob(pattern)) or any(folder.glob(pattern))


def _is_link(link: str, folder: Path) -> bool:
    target, _, _ = link.partition("#")
    return "://" in link or not target or (folder / target).exists()
