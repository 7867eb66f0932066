"""Decoding of images, preparation for the networks, and rendering of results."""

from hepar.imaging.ct_image import CtImage, Window
from hepar.imaging.decoding import decode
from hepar.imaging.errors import UnreadableImage

__all__ = ["CtImage", "UnreadableImage", "Window", "decode"]
