"""Synthesis of hepatic metastases and mass-forming cholangiocarcinomas into CT slices with a liver mask."""

from training.lesions.synthesis import LABELS, Label, LesionBox, LesionSlice, synthesise

__all__ = ["LABELS", "Label", "LesionBox", "LesionSlice", "synthesise"]
