"""The two tumour types."""

from __future__ import annotations

from typing import Literal, get_args

Label = Literal["cholangiocarcinoma", "metastasis"]
LABELS: tuple[Label, ...] = get_args(Label)
