"""Synthesis of hepatic metastases and mass-forming cholangiocarcinomas into CT slices with a liver mask."""

from training.lesions.synthesis import LABELS, LesionBox, LesionSlice, synthesise

__all__ = ["LABELS", "LesionBox", "LesionSlice", "synthesise"]
