"""`make bench-viewer`: time per frame of the viewer, with single images and with a study.

Prints the milliseconds between frames while an image of 2,048 x 2,048, and one of 256 x 256, is panned, zoomed and
windowed continuously; then those of a study of 300 slices while it is scrolled in each plane (study_benchmark.py).
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

from tests.browser.conftest import CHROMIUM, TIMEOUT_MS, file_input, open_activation_map, sign_up, stack_for_browsers
from tests.browser.study_benchmark import measure_study, stack_for_studies
from tests.end_to_end.conftest import Stack
from tests.support.pictures import encoded, gradient

Row = dict[str, Any]
SIDES_PX = (256, 2048)
EVENTS = 120

# One input event per frame, as a browser delivers them. The time between frames includes React, windowing and drawing.
_MEASURE = """
async ([action, count]) => {
  const canvas = document.querySelector("canvas[role=img]");
  const bounds = canvas.getBoundingClientRect();
  const slider = [...document.querySelectorAll("input[type=range]")][0];
  const set = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value").set;
  const pointer = (step) => ({
    clientX: bounds.left + 200 + 80 * Math.sin(step / 9), clientY: bounds.top + 200 + 80 * Math.cos(step / 9),
    pointerId: 1, bubbles: true,
  });
  const actions = {
    pan: (step) => canvas.dispatchEvent(new PointerEvent("pointermove", pointer(step))),
    zoom: (step) => canvas.dispatchEvent(
      new WheelEvent("wheel", { ...pointer(0), deltaY: step % 40 < 20 ? -1 : 1, cancelable: true })),
    window: (step) => {
      set.call(slider, 60 + ((step * 3) % 180));
      slider.dispatchEvent(new Event("input", { bubbles: true }));
    },
  };
  const frame = () => new Promise(requestAnimationFrame);
  if (action === "pan") {
    canvas.setPointerCapture = () => {};
    canvas.dispatchEvent(new PointerEvent("pointerdown", pointer(0)));
  }
  const times = [];
  let last = await frame();
  for (let step = 0; step < count; step += 1) {
    actions[action](step);
    const now = await frame();
    times.push(now - last);
    last = now;
  }
  if (action === "pan") canvas.dispatchEvent(new PointerEvent("pointerup", pointer(0)));
  return times;
}
"""


def frame_times(page: Page, action: str) -> dict[str, float]:
    times = sorted(page.evaluate(_MEASURE, [action, EVENTS]))
    return {"median_ms": round(times[len(times) // 2], 1), "p95_ms": round(times[int(len(times) * 0.95)], 1)}


def measure_images(page: Page) -> Iterator[Row]:
    images = [
        {"name": f"{side}.png", "mimeType": "image/png", "buffer": encoded(gradient(side, side))} for side in SIDES_PX
    ]
    file_input(page).set_input_files(images)  # type: ignore[arg-type]
    page.get_by_role("button", name="Analyse ").click()
    for side in SIDES_PX:
        page.get_by_role("row").filter(has_text=f"{side}.png").get_by_role("link", name="Open").click()
        page.locator("canvas[role=img]").wait_for()
        open_activation_map(page, "ensemble")
        for action in ("pan", "zoom", "window"):
            yield {"side_px": side, "act": action, **frame_times(page, action)}
        page.go_back()


def measured(
    start: Callable[[Path], AbstractContextManager[Stack]], measure: Callable[[Page], Iterable[Row]]
) -> list[Row]:
    """start: a stack with its state in a folder.  measure: gets the page of a new account."""
    rows = []
    with tempfile.TemporaryDirectory() as folder, start(Path(folder)) as stack, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(base_url=stack.settings.gateway_url, viewport={"width": 1280, "height": 900})
        page.set_default_timeout(TIMEOUT_MS)
        sign_up(page)
        for row in measure(page):
            rows.append(row)
            print(json.dumps(row), flush=True)  # noqa: T201  a command
        browser.close()
    return rows


def main(output: Path | None) -> None:
    rows = measured(stack_for_browsers, measure_images) + measured(stack_for_studies, measure_study)
    if output:
        output.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
