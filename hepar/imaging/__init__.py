"""Bytes to pixels a network can read, and pictures of what it found."""

from hepar.imaging.ct_image import CtImage, Window
from hepar.imaging.decoding import decode
from hepar.imaging.errors import UnreadableImage

__all__ = ["CtImage", "UnreadableImage", "Window", "decode"]
