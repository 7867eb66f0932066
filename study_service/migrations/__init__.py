"""Alembic's migrations of the database of studies."""

from pathlib import Path

MIGRATIONS = Path(__file__).parent
