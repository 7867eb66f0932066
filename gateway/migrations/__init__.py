"""Alembic's migrations of the state that all gateways share."""

from pathlib import Path

MIGRATIONS = Path(__file__).parent
VERSION_TABLE = "gateway_alembic_version"
"""The database may also be that of another service."""
