"""`make bench-viewer`: how long the viewer takes for a frame with an image of 2,048 x 2,048, beside one of 256 x 256.

Prints, for each and for panning, zooming and windowing, the milliseconds between frames while a hand keeps moving.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

from tests.browser.conftest import CHROMIUM, sign_up, stack_for_browsers
from tests.support.pictures import encoded, gradient

SIDES = (256, 2048)
MOVES = 120

# One move a frame, as a browser delivers them; the time between frames holds React, the window and the drawing.
_ACT = """
async ([kind, moves]) => {
  const canvas = document.querySelector("canvas[role=img]");
  const place = canvas.getBoundingClientRect();
  const slider = [...document.querySelectorAll("input[type=range]")][0];
  const set = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value").set;
  const at = (step) => ({
    clientX: place.left + 200 + 80 * Math.sin(step / 9), clientY: place.top + 200 + 80 * Math.cos(step / 9),
    pointerId: 1, bubbles: true,
  });
  const acts = {
    pan: (step) => canvas.dispatchEvent(new PointerEvent("pointermove", at(step))),
    zoom: (step) => canvas.dispatchEvent(
      new WheelEvent("wheel", { ...at(0), deltaY: step % 40 < 20 ? -1 : 1, cancelable: true })),
    window: (step) => {
      set.call(slider, 60 + ((step * 3) % 180));
      slider.dispatchEvent(new Event("input", { bubbles: true }));
    },
  };
  const frame = () => new Promise(requestAnimationFrame);
  if (kind === "pan") {
    canvas.setPointerCapture = () => {};
    canvas.dispatchEvent(new PointerEvent("pointerdown", at(0)));
  }
  const times = [];
  let last = await frame();
  for (let step = 0; step < moves; step += 1) {
    acts[kind](step);
    const now = await frame();
    times.push(now - last);
    last = now;
  }
  if (kind === "pan") canvas.dispatchEvent(new PointerEvent("pointerup", at(0)));
  return times;
}
"""


def frame_times(page: Page, kind: str) -> dict[str, float]:
    times = sorted(page.evaluate(_ACT, [kind, MOVES]))
    return {"median_ms": round(times[len(times) // 2], 1), "p95_ms": round(times[int(len(times) * 0.95)], 1)}


def main(out: Path | None) -> None:
    rows: list[dict[str, Any]] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        stack_for_browsers(Path(folder)) as stack,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(base_url=stack.settings.gateway_url, viewport={"width": 1280, "height": 900})
        sign_up(page)
        images = [
            {"name": f"{side}.png", "mimeType": "image/png", "buffer": encoded(gradient(side, side))} for side in SIDES
        ]
        page.locator("input[type=file]").set_input_files(images)  # type: ignore[arg-type]
        page.get_by_role("button", name="Analyse ").click()
        for side in SIDES:
            page.get_by_role("row").filter(has_text=f"{side}.png").get_by_role("link", name="Open").click()
            page.locator("canvas[role=img]").wait_for()
            page.get_by_label("Where the networks looked").select_option("ensemble")
            for kind in ("pan", "zoom", "window"):
                rows.append({"side_px": side, "act": kind, **frame_times(page, kind)})
                print(json.dumps(rows[-1]), flush=True)  # noqa: T201  a command
            page.go_back()
        browser.close()
    if out:
        out.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
