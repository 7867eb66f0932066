"""The Python client: `Hepar` and `AsyncHepar` speak to a gateway, typed, patient and within its limits."""

from hepar.client.errors import CannotReach, HeparProblem, UnexpectedAnswer
from hepar.client.requests import Options
from hepar.client.session import AsyncHepar, Hepar

__all__ = ["AsyncHepar", "CannotReach", "Hepar", "HeparProblem", "Options", "UnexpectedAnswer"]
