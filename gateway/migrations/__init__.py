"""Alembic's migrations of the state that all gateways share."""

from pathlib import Path

MIGRATIONS = Path(__file__).parent
