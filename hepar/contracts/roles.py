"""The roles of accounts."""

from typing import Literal

Role = Literal["clinician", "researcher", "integrator", "administrator"]
