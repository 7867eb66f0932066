"""What can be wrong with an uploaded image. hepar/service gives each its HTTP status."""

from __future__ import annotations


class ImageError(Exception):
    """Base of the three; the message is meant for the person who sent the file."""


class UnreadableImage(ImageError):
    """The bytes are no image we can read."""


class UnsupportedImage(ImageError):
    """A format, or a kind of DICOM object, that is not read here."""


class ImageTooLarge(ImageError):
    """More pixels than the published limit."""
