"""Errors of uploaded images. hepar.serving.decode_workers maps each to an HTTP status."""

from __future__ import annotations


class ImageError(Exception):
    """Base class. The message is meant for the person who sent the file."""


class UnreadableImage(ImageError):
    """The bytes are not an image, or a damaged one."""


class UnsupportedImage(ImageError):
    """A format, or a kind of DICOM object, that is not supported."""


class ImageTooLarge(ImageError):
    """More pixels than the published limit."""
