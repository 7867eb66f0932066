"""Limits that are published and kept in more than one place."""

FRAMES_MAX = 2_000
"""Frames of a multi-frame DICOM object."""
