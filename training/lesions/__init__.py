"""Synthesis of hepatic metastases and mass-forming cholangiocarcinomas into CT slices with a liver mask."""

from training.lesions.labels import LABELS, Label
from training.lesions.recipe import RECIPES, TABLED, WHOLE_RANGE, Recipe
from training.lesions.synthesis import LesionBox, LesionSlice, synthesise

__all__ = ["LABELS", "RECIPES", "TABLED", "WHOLE_RANGE", "Label", "LesionBox", "LesionSlice", "Recipe", "synthesise"]
