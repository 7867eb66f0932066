"""What a network takes: the size of its input, and how much of the patient fills it."""

from typing import NamedTuple

FIELD_MM = 409.6
"""Width and height of the training images: 256 pixels of 1.6 mm (docs/decisions/0075)."""


class View(NamedTuple):
    """height, width: of the input, in pixels.  field_mm: see `hepar.contracts.cards.InputSize`."""

    height: int
    width: int
    field_mm: float = FIELD_MM
