"""Every message that the Python code writes for a user of the web app, collected from its source."""

from __future__ import annotations

import ast
import importlib
import inspect
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from hepar.core.errors import HeparError
from hepar.imaging.errors import ImageError
from study_service.destinations.sender import SendFailed
from study_service.webhooks.targets import TargetRefused
from tests.support import study_message_samples

ROOT = Path(__file__).resolve().parents[2]
# Nothing that the web app uses raises them: DICOMweb, FHIR, webhooks, de-identification, routes between services.
_NOT_ON_THE_WEB = (
    "accept.py",
    "dicom_parts.py",
    "dicomweb_paths.py",
    "dicomweb_retrieve.py",
    "dicomweb_store.py",
    "registry.py",
    "slices.py",
    "study_deidentification.py",
    "study_worker.py",
)
_PACKAGES = (
    "hepar/imaging/*.py",
    "hepar/imaging/study/*.py",
    "hepar/serving/*.py",
    "hepar/inference/*.py",
    "hepar/web/*.py",
    "hepar/storage/*.py",
)
_SERVICES = ("gateway/**/*.py", "auth_service/**/*.py", "study_service/*.py", "study_service/*/*.py")
_NOT_ON_THE_WEB_PACKAGES = {"dicom_network", "dicomweb", "fhir", "migrations", "outputs"}
SOURCES = tuple(
    path
    for pattern in (*_PACKAGES, *_SERVICES)
    for path in sorted(ROOT.glob(pattern))
    if path.name not in {*_NOT_ON_THE_WEB, "__main__.py"}
    and _NOT_ON_THE_WEB_PACKAGES.isdisjoint(path.relative_to(ROOT).parts)
    and path.relative_to(ROOT).as_posix() != "study_service/api/fhir.py"
)
_OTHERS = {
    # Their details are not shown: the web app translates the fields by their codes.
    "InvalidRequest",
    "InvalidTokenRequest",
    "UnsupportedGrantType",
    "WeakPassword",
    "UpstreamProblem",  # the problem of another service, whose detail is collected where it is raised
}
# Values of expressions that the source alone does not tell, by module and expression.
SAMPLES: dict[tuple[str, str], tuple[str, ...]] = study_message_samples.SAMPLES | {
    ("contrast", "' '.join(('the picture has no contrast', where)).strip()"): (
        "the picture has no contrast",
        "the picture has no contrast between 0 and 250 HU",
        "the picture has no contrast between -62.5 and 187.5 HU",
    ),
    ("decoding", "len(content)"): ("20000001",),
    ("dicom", "frame"): ("7",),
    ("dicom", "frames"): ("3",),
    ("dicom_file", "syntax.name"): ("MPEG2 Main Profile / Main Level", "High-Throughput JPEG 2000 (Lossless Only)"),
    ("dicom_file", "kind"): ("compressed", "uncompressed"),
    ("dicom_file", "form"): ("in fragments", "not in fragments"),
    ("input_frame", "seen"): ("1.75", "2.34"),
    ("forwarding", "purpose"): ("sign-in", "studies"),
    ("functional_groups", "name"): ("RescaleSlope",),
    ("hounsfield", "found.term"): ("VNC", "PERFUSION_BF", "MAT SPECIFIC"),
    ("hounsfield", "found.element"): ("ImageType", "SeriesDescription"),
    ("hounsfield", "name"): ("RescaleSlope",),
    ("orientation", "plane"): ("sagittal", "coronal", "oblique"),
    ("orientation", "degrees"): ("35",),
    ("orientation", "name"): ("ImageOrientationPatient",),
    ("orientation", "len(values)"): ("5",),
    ("orientation", "count"): ("6",),
    ("pictures", "name"): ("PNG", "JPEG", "TIFF", "BMP", "WEBP"),
    ("pictures", "samples.kind"): ("TIFF pictures of 3 x 16 bits",),
    ("pictures", "header.kind"): ("lossless JPEG", "JPEG-LS"),
    ("pictures", "header.bits"): ("12",),
    ("pictures", "getattr(opened, 'n_frames', 1)"): ("2",),
    ("pixel_data", "index"): ("2",),
    ("pixel_data", "columns"): ("512",),
    ("pixel_data", "rows"): ("512",),
    ("sixteen_bits", "used"): ("8", "12"),
    ("stored_values", "allocated"): ("16",),
    ("stored_values", "stored"): ("12",),
    ("circuit_breaker", "self._model"): ("detector-retinanet",),
    ("triton", "model"): ("detector-retinanet",),
    ("triton", "name"): ("boxes",),
    ("quorum", "len(outputs)"): ("2",),
    ("quorum", "len(answered)"): ("2",),
    ("quorum", "len(models)"): ("5",),
    ("quorum", "required"): ("3",),
    ("access_tokens", "scope"): ("models",),
    ("access_tokens", "name"): ("exp", "session"),
    ("connection", "self._limits.address_max"): ("64",),
    ("database", "content"): ("accounts", "the gateway's state"),
    ("request_body", "self._upload_s"): ("120",),
    ("request_limits", "coding[:_ECHOED_CHARACTERS]"): ("gzip",),
    ("request_limits", "name"): ("content-type",),
    ("rate_limit", "name"): ("address", "account"),
    ("rate_limit", "self._per_minute[name]"): ("600",),
    ("dependencies", "scope"): ("users",),
    ("sign_in", "found.status"): ("pending", "deactivated"),
    ("throttle", "self._seconds"): ("60",),
    ("uploads", "bytes_max"): ("31457280",),
    ("uploads", "images_max"): ("100",),
    ("upstream", "self.purpose"): ("classification", "detection"),
    ("upstream", "purpose"): ("classification", "detection"),
}
_QUOTED = {"quoted_number": ("7", "unknown"), "quoted_term": ("MR", "unknown")}


class UnknownValueError(Exception):
    """An expression in a message that SAMPLES has no value for."""


@dataclass(frozen=True)
class Message:
    """place: file and line.  text: as it may be written, with values put in."""

    place: str
    text: str


@dataclass(frozen=True)
class _Source:
    """One module, and the function in which a message stands. error: whether it belongs to the class of an error."""

    path: Path
    module: ModuleType
    function: ast.AST
    error: bool = False

    def messages(self) -> list[ast.expr]:
        """The first arguments of errors that are made, and of the constructor of the base class of an error."""
        names = _error_names() | ({"__init__"} if self.error else set())
        return [call.args[0] for call in _calls(self.function) if _name(call) in names and call.args]

    def texts(self, expression: ast.expr) -> list[str]:
        """All texts that the expression may have. Raises UnknownValueError."""
        if (known := SAMPLES.get((self.path.stem, ast.unparse(expression)))) is not None:
            return list(known)
        match expression:
            case ast.Constant(value=str(text)):
                return [text]
            case ast.JoinedStr(values=parts):
                return self._joined(parts)
            case ast.FormattedValue(value=value, format_spec=None):
                return self.texts(value)
            case ast.FormattedValue(value=value) if (self.path.stem, ast.unparse(value)) in SAMPLES:
                return self.texts(value)
            case ast.FormattedValue(value=ast.Name(id=name), format_spec=ast.JoinedStr() as spec):
                return [format(vars(self.module)[name], self.texts(spec)[0])]
            case ast.IfExp(body=body, orelse=other):
                return self.texts(body) + self.texts(other)
            case ast.Call(func=ast.Name(id=("quoted_number" | "quoted_term") as name)):
                return list(_QUOTED[name])
            case ast.Name(id=name):
                return self._values_of(name)
        place = f"{self.path.relative_to(ROOT)}:{expression.lineno}"
        raise UnknownValueError(f"{place}: add values of {ast.unparse(expression)!r} to SAMPLES")

    def _joined(self, parts: list[ast.expr]) -> list[str]:
        """An expression that comes twice has the same value in both places."""
        values = {ast.unparse(part): self.texts(part) for part in parts}
        chosen = [dict(zip(values, choice, strict=True)) for choice in itertools.product(*values.values())]
        return ["".join(choice[ast.unparse(part)] for part in parts) for choice in chosen]

    def _values_of(self, name: str) -> list[str]:
        assigned = [
            node.value
            for node in ast.walk(self.function)
            if isinstance(node, ast.Assign) and any(isinstance(to, ast.Name) and to.id == name for to in node.targets)
        ]
        if assigned:
            return [text for value in assigned for text in self.texts(value)]
        if name not in vars(self.module):
            raise UnknownValueError(f"{self.path.relative_to(ROOT)}: add values of {name!r} to SAMPLES")
        return [str(vars(self.module)[name])]


def refusals(paths: Iterable[Path] = SOURCES) -> list[Message]:
    """The details of all errors that are raised or returned in the modules."""
    return [
        Message(f"{source.path.relative_to(ROOT)}:{expression.lineno}", text)
        for source in _sources(paths)
        for expression in source.messages()
        for text in source.texts(expression)
    ]


def warnings() -> list[Message]:
    """The warnings about an image: the sentences in the code of hepar.imaging."""
    found = []
    for path in SOURCES:
        if path.parent.name != "imaging":
            continue
        module = _module(path)
        tree = ast.parse(path.read_text())
        found += [
            Message(f"{path.relative_to(ROOT)}:{node.lineno}", text)
            for function, node in _sentences(tree)
            for text in _Source(path, module, function).texts(node)
        ]
    return found


def field_codes() -> set[str]:
    """The codes of invalid fields that our code names; those of pydantic come in addition."""
    places = {"_invalid_image": 0, "_weak": 1, "InvalidField": 2}
    calls = [call for path in SOURCES for call in _calls(ast.parse(path.read_text())) if _name(call) in places]
    codes = [call.args[places[_name(call)]] for call in calls]
    return {str(code.value) for code in codes if isinstance(code, ast.Constant)}


def _sources(paths: Iterable[Path]) -> Iterator[_Source]:
    for path in paths:
        module = _module(path)
        tree = ast.parse(path.read_text())
        own = [name for name in _own_constructors() if name in vars(module)]
        for function in _functions(tree):
            yield _Source(path, module, function, any(function in ast.walk(kind) for kind in _classes(tree, own)))


def _module(path: Path) -> ModuleType:
    return importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"))


def _functions(tree: ast.AST) -> list[ast.AST]:
    """The outermost functions, also those of classes."""
    if isinstance(tree, ast.FunctionDef | ast.AsyncFunctionDef):
        return [tree]
    return [function for child in ast.iter_child_nodes(tree) for function in _functions(child)]


def _calls(tree: ast.AST) -> list[ast.Call]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call)]


def _name(call: ast.Call) -> str:
    """Of the function, without the module in front of it."""
    return ast.unparse(call.func).rpartition(".")[2]


def _classes(tree: ast.Module, names: list[str]) -> list[ast.ClassDef]:
    return [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name in names]


def _error_names() -> set[str]:
    """Of those that are given their message."""
    return (
        {kind.__name__ for base in (HeparError, ImageError, SendFailed, TargetRefused) for kind in _subclasses(base)}
        - _own_constructors()
        - _OTHERS
    )


def _own_constructors() -> set[str]:
    """Names of the errors that make their message themselves."""
    made = {
        kind
        for base, message in ((HeparError, "detail"), (SendFailed, "reason"))
        for kind in _subclasses(base)
        if message not in inspect.signature(kind).parameters
    }
    return {kind.__name__ for kind in made} - _OTHERS


def _subclasses(kind: type) -> set[type]:
    return {kind}.union(*map(_subclasses, kind.__subclasses__()))


def _sentences(tree: ast.Module) -> Iterator[tuple[ast.AST, ast.expr]]:
    """Texts that begin with "The " and end with a full stop, apart from docstrings; with the function around them."""
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    functions = _functions(tree)
    inside = {id(node): function for function in functions for node in ast.walk(function)}
    parts = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if id(node) in docstrings or id(node) in parts or not isinstance(node, ast.Constant | ast.JoinedStr):
            continue
        ends = [node, node] if isinstance(node, ast.Constant) else [node.values[0], node.values[-1]]
        first, last = (str(end.value) if isinstance(end, ast.Constant) else "" for end in ends)
        if first.startswith("The ") and last.endswith("."):
            yield inside.get(id(node), tree), node
