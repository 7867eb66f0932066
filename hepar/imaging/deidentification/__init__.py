"""De-identification of CT images by the profiles of DICOM PS3.15, Annex E."""

from __future__ import annotations

from .image import deidentified_file, deidentified_header, mark_deidentified
from .profile import Options
from .pseudonyms import Pseudonyms

__all__ = ["Options", "Pseudonyms", "deidentified_file", "deidentified_header", "mark_deidentified"]
