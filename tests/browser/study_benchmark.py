"""The part of `make bench-viewer` that measures a study of 300 slices of 512 x 512: first slice, loading, scrolling."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import Page, expect

from local_stack.demo import running_stack
from local_stack.settings import on_free_ports
from tests.end_to_end.conftest import Stack
from tests.support.tiny_models import write_classifier, write_detector, write_segmenter

SLICES, SIDE_PX = 300, 512
EVENTS = 299
_ANALYSED_MS = 600_000

# From the click on the study in the worklist to the first slice on the canvas.
_FIRST_SLICE = """
async () => {
  const started = performance.now();
  document.querySelector(".worklist tbody a").click();
  for (;;) {
    await new Promise(requestAnimationFrame);
    const canvas = document.querySelector("canvas[role=img]");
    if (!canvas || canvas.width < 10) continue;
    const middle = canvas.getContext("2d").getImageData(canvas.width / 2, canvas.height / 2, 20, 20).data;
    if (middle.some((value, index) => index % 4 < 3 && value > 0)) return performance.now() - started;
  }
}
"""

# One event per frame, as a browser delivers them. The time between frames includes React, reformatting and drawing.
_SCROLL = """
async ([plane, count]) => {
  const canvas = document.querySelector(`[data-plane=${plane}] canvas`);
  const bounds = canvas.getBoundingClientRect();
  const place = { clientX: bounds.left + 50, clientY: bounds.top + 50, bubbles: true, cancelable: true };
  const frame = () => new Promise(requestAnimationFrame);
  const shown = new Set(), times = [];
  canvas.dispatchEvent(new KeyboardEvent("keydown", { key: "Home", bubbles: true }));
  await frame();
  let last = await frame();
  for (let step = 0; step < count; step += 1) {
    canvas.dispatchEvent(new WheelEvent("wheel", { ...place, deltaY: -100 }));
    const now = await frame();
    times.push(now - last);
    last = now;
    shown.add(canvas.closest("[data-plane]").dataset.index);
  }
  return { times, shown: shown.size };
}
"""


def phantom() -> NDArray[np.int16]:
    """(slices, rows, columns): a body with noise, a liver and three lesions, for the segmenter of tiny_models."""
    slices, rows, columns = np.ogrid[:SLICES, :SIDE_PX, :SIDE_PX]
    noise = np.random.default_rng(0).integers(-15, 16, (SLICES, SIDE_PX, SIDE_PX), dtype=np.int16)
    hu = np.where(((rows - 256) / 200) ** 2 + ((columns - 256) / 240) ** 2 <= 1, np.int16(50), np.int16(-1000)) + noise
    hu[((slices - 150) / 90) ** 2 + ((rows - 220) / 110) ** 2 + ((columns - 180) / 110) ** 2 <= 1] += 75
    for slice_, row, column in ((120, 200, 150), (150, 240, 220), (190, 210, 170)):
        hu[((slices - slice_) / 12) ** 2 + ((rows - row) / 20) ** 2 + ((columns - column) / 20) ** 2 <= 1] += 100
    return hu.astype(np.int16)


def send_phantom(page: Page) -> None:
    """Ends on the worklist with the finished study."""
    page.get_by_role("link", name="Studies").click()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "phantom.nii"
        affine = np.diag([-0.7, -0.7, 1.0, 1.0])
        nib.Nifti1Image(phantom().transpose(2, 1, 0), affine).to_filename(path)
        page.locator("input[type=file]").first.set_input_files(path)
        expect(page.locator(".thumbnail")).to_be_visible(timeout=_ANALYSED_MS)


@contextmanager
def stack_for_studies(folder: Path) -> Iterator[Stack]:
    """With a segmenter, which single images of other tests would not pass."""
    repository = folder / "models"
    write_classifier(repository, "classify_one", (0.0, 2.0, 0.0))
    write_detector(repository, "detect_one", (0.25, 0.25, 0.5, 0.5), 0.9, 1)
    write_segmenter(repository, "segment_grey")
    settings = on_free_ports().model_copy(update={"triton_model_repository": repository})
    with running_stack(settings, folder) as process:
        yield Stack(settings, folder, process.pid)


def measure_study(page: Page) -> Iterator[dict[str, Any]]:
    """Sends it first."""
    send_phantom(page)
    started = time.monotonic()
    yield {"act": "first slice", "ms": round(page.evaluate(_FIRST_SLICE))}
    expect(page.locator(".loading-volume")).to_have_count(0, timeout=_ANALYSED_MS)
    yield {"act": "whole volume", "ms": round((time.monotonic() - started) * 1000)}
    page.get_by_label("Masks", exact=True).check()
    for layout, planes in (("one", ["axial"]), ("planes", ["axial", "coronal", "sagittal"]), ("compare", ["axial"])):
        page.get_by_label("Layout").select_option(layout)
        page.wait_for_timeout(3000)
        for plane in planes:
            result = page.evaluate(_SCROLL, [plane, EVENTS])
            times = sorted(result["times"])
            yield {
                "act": f"scroll {plane}",
                "layout": layout,
                "median_ms": round(times[len(times) // 2], 1),
                "p95_ms": round(times[int(len(times) * 0.95)], 1),
                "slices_shown": result["shown"],
            }
