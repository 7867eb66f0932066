"""Copies of the model repository with one setting changed."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Variant:
    """None keeps the shipped value. delay_us: longest time that a request waits to be batched with others."""

    name: str
    threads: int | None = None
    instances: int | None = None
    spinning: bool | None = None
    batching: bool = True
    delay_us: int | None = None


VARIANTS = (
    Variant("as shipped"),
    Variant("two threads a model", threads=2),
    Variant("two threads a model, spinning", threads=2, spinning=True),
    Variant("two instances a model", instances=2),
    Variant("no batching", batching=False),
    Variant("batching waits up to 5 ms", delay_us=5_000),
)


def write_variant(repository: Path, variant: Variant, folder: Path) -> Path:
    """Copies the repository into `folder`, which is replaced, and changes each config.pbtxt."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(repository, folder)
    for file in folder.glob("*/config.pbtxt"):
        file.write_text(changed(file.read_text(), variant))
    return folder


def changed(text: str, variant: Variant) -> str:
    """One config.pbtxt."""
    if variant.threads is not None:
        text = _with_parameter(text, "intra_op_thread_count", str(variant.threads))
    if variant.spinning is not None:
        text = _with_parameter(text, "session.intra_op.allow_spinning", str(int(variant.spinning)))
    if variant.instances is not None:
        text = re.sub(r"(instance_group \[ \{ count:) \d+", rf"\1 {variant.instances}", text)
    if not variant.batching:
        text = re.sub(r"dynamic_batching \{[^}]*\}\n", "", text)
    elif variant.delay_us is not None:
        text = re.sub(
            r"dynamic_batching \{[^}]*\}",
            f"dynamic_batching {{ max_queue_delay_microseconds: {variant.delay_us} }}",
            text,
        )
    return text


def _with_parameter(text: str, key: str, value: str) -> str:
    return re.sub(rf'(key: "{re.escape(key)}" value: {{ string_value:) "[^"]*"', rf'\1 "{value}"', text)
