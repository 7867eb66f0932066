"""`python -m tests.fuzz.decode SECONDS`: libFuzzer, by atheris, against the image decoder.

Whatever the bytes are, `decode` returns a picture within the published limits or raises an ImageError. Anything else
ends the run with a non-zero status and leaves the bytes in var/fuzz. What it learnt stays there for the next run.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["hepar.imaging", "pydicom"]):  # pyright: ignore[reportAttributeAccessIssue]
    from hepar.imaging import decode
    from hepar.imaging.decoding import PIXELS_MAX, SIDE_MIN
    from hepar.imaging.errors import ImageError

from tests.support.broken_images import hostile, whole_images

FOLDER = Path("var/fuzz")
BYTES_MAX = 16_384
LIMITS = (
    "-timeout=5",
    "-rss_limit_mb=3072",
    f"-max_len={BYTES_MAX}",
    f"-artifact_prefix={FOLDER}/",
    "-print_final_stats=1",
)


def one_input(content: bytes) -> None:
    try:
        image = decode(content)
    except ImageError:
        return
    if image.pixels.ndim != 2 or image.pixels.dtype != "uint8" or image.pixels.size > PIXELS_MAX:
        raise AssertionError(f"a picture of {image.pixels.shape} {image.pixels.dtype}")
    if min(image.pixels.shape) < SIDE_MIN:
        raise AssertionError(f"a picture of only {image.pixels.shape}")


def main() -> None:
    seconds = int(sys.argv[1])
    corpus = FOLDER / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for name, content in (whole_images() | hostile()).items():
        if len(content) <= BYTES_MAX:
            (corpus / f"seed-{name.replace(' ', '-').replace('/', '-')}").write_bytes(content)
    atheris.Setup([sys.argv[0], str(corpus), f"-max_total_time={seconds}", *LIMITS], one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
