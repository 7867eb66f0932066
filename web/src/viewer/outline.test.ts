import { expect, test } from "vitest";
import { clampedPoint, CORNERS_MAX, shownSquare, withCorner, type Corners } from "./outline.ts";

test("corners stay inside of the slice, at tenths of a pixel", () => {
  expect(clampedPoint({ x: -3, y: 63.27 }, { width: 100, height: 60 })).toEqual({ x: 0, y: 60 });
  expect(clampedPoint({ x: 10.26, y: 9.94 }, { width: 100, height: 60 })).toEqual({ x: 10.3, y: 9.9 });
});

test("a stroke adds a corner only where it has moved, and an outline has as many as the server takes", () => {
  const one = withCorner([], { x: 1, y: 1 });
  expect(withCorner(one, { x: 2, y: 1 }, 1)).toBe(one);
  expect(withCorner(one, { x: 2.1, y: 1 }, 1)).toHaveLength(2);
  let corners: Corners = [];
  for (let x = 0; x < CORNERS_MAX + 5; x += 1) corners = withCorner(corners, { x, y: 0 });
  expect(corners).toHaveLength(CORNERS_MAX);
});

test("the shown square lies around the box, and never shows more than the slice", () => {
  const slice = { width: 512, height: 512 };
  expect(shownSquare({ x_min: 100, y_min: 100, x_max: 120, y_max: 110 }, slice, 3)).toEqual({ left: 80, top: 75, side: 60 });
  expect(shownSquare({ x_min: 0, y_min: 0, x_max: 500, y_max: 10 }, slice, 3).side).toBe(512);
  expect(shownSquare(undefined, { width: 200, height: 100 }, 3)).toEqual({ left: 0, top: -50, side: 200 });
});
