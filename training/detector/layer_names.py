"""Names that the export gives to the weights of factorised layers, and by which they are read back as one."""

from __future__ import annotations

THIN, WIDE = "_thin", "_wide"
"""Suffixes of the weights of the two convolutions of a layer."""
