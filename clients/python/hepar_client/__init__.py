"""Python client of Hepar: `Hepar` and `AsyncHepar` renew tokens, wait for Retry-After, and retry safely."""

from .async_client import AsyncHepar
from .errors import GatewayUnreachable, HeparProblem, UnexpectedResponse
from .options import Options
from .study_calls import ExportOptions, StudyFilter, StudyOptions
from .study_files import NoStudy
from .sync_client import Hepar

__version__ = "0.1.0"

__all__ = [
    "AsyncHepar",
    "ExportOptions",
    "GatewayUnreachable",
    "Hepar",
    "HeparProblem",
    "NoStudy",
    "Options",
    "StudyFilter",
    "StudyOptions",
    "UnexpectedResponse",
]
