"""Attacks run against the real stack."""

from __future__ import annotations

from tests.end_to_end.conftest import client, stack

__all__ = ["client", "stack"]
