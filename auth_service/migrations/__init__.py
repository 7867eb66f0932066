"""Alembic's migrations of the accounts database."""

from pathlib import Path

MIGRATIONS = Path(__file__).parent
