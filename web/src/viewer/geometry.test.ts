import { expect, test } from "vitest";
import { statedDisplay } from "./display.ts";
import { applyWindow, asSent, fittedView, lineLength, pinchedView, placeCaptions, toImage, transformedBox, transformedPoint, zoomedView } from "./geometry.ts";
import { lineAt, rulerAfterKey } from "./ruler.ts";

test("the fitted view shows the whole image, centred", () => {
  expect(fittedView({ width: 200, height: 100 }, { width: 400, height: 400 })).toEqual({ zoom: 2, left: 0, top: 100 });
});

test("zooming keeps the image point under the pointer", () => {
  const view = fittedView({ width: 512, height: 512 }, { width: 700, height: 500 });
  const pointer = { x: 123, y: 45 };
  const before = toImage(view, pointer);
  const after = toImage(zoomedView(view, 1.7, pointer), pointer);
  expect(after.x).toBeCloseTo(before.x);
  expect(after.y).toBeCloseTo(before.y);
});

test("two fingers keep what is between them and zoom by their distance", () => {
  const view = { zoom: 1, left: 10, top: 20 };
  const from = [{ x: 100, y: 100 }, { x: 200, y: 100 }] as const;
  const to = [{ x: 100, y: 140 }, { x: 300, y: 140 }] as const;
  const pinched = pinchedView(view, from, to);
  expect(pinched.zoom).toBe(2);
  expect(toImage(pinched, { x: 200, y: 140 })).toEqual(toImage(view, { x: 150, y: 100 }));
});

test("the zoom is limited", () => {
  let view = fittedView({ width: 10, height: 10 }, { width: 100, height: 100 });
  for (let times = 0; times < 50; times += 1) view = zoomedView(view, 2, { x: 0, y: 0 });
  expect(view.zoom).toBe(40);
  for (let times = 0; times < 50; times += 1) view = zoomedView(view, 0.5, { x: 0, y: 0 });
  expect(view.zoom).toBe(0.05);
});

test("the ruler uses the shorter side of a pixel, which the display has, and pixels without spacing", () => {
  const line = { from: { x: 0, y: 0 }, to: { x: 3, y: 4 } };
  expect(lineLength(line)).toEqual({ length: 5, unit: "px" });
  expect(lineLength(line, { row: 2, column: 0.5 })).toEqual({ length: 2.5, unit: "mm" });
});

test("a box is transformed as the image is", () => {
  const box = { x_min: 1, y_min: 2, x_max: 4, y_max: 8 };
  expect(transformedBox([1, 0, 0, 1, 0, 0], box)).toEqual(box);
  expect(transformedBox([0, 1, -2, 0, 60, 0], box)).toEqual({ x_min: 44, y_min: 1, x_max: 56, y_max: 4 });
});

test("a point of the display leads back to the pixel as sent", () => {
  const matrix = [0, 2, -1.5, 0, 60, 4];
  const { x, y } = asSent(matrix, transformedPoint(matrix, 12, 7));
  expect(x).toBeCloseTo(12);
  expect(y).toBeCloseTo(7);
});

test("an image without a result is shown as it lies in the file, with square pixels", () => {
  const display = statedDisplay({ width: 40, height: 30, spacing_mm: { row: 1.4, column: 0.7 } });
  expect(display).toEqual({ matrix: [1, 0, 0, 2, 0, 0], width: 40, height: 60, patient_sides: null });
});

test("an image without a result is turned as its file states", () => {
  const size = { width: 40, height: 30, pixelAspect: 2 };
  const turned = statedDisplay({ ...size, turn: { transposed: true, flippedX: true, flippedY: false } });
  expect(turned).toEqual({ matrix: [0, 1, -2, 0, 60, 0], width: 60, height: 40, patient_sides: null });
  const prone = statedDisplay({ ...size, turn: { transposed: false, flippedX: true, flippedY: true } });
  expect(prone).toEqual({ matrix: [-1, 0, 0, -2, 40, 60], width: 40, height: 60, patient_sides: null });
});

test("keys move, restart and remove the ruler", () => {
  const line = { from: { x: 1, y: 1 }, to: { x: 5, y: 5 } };
  expect(rulerAfterKey(line, "ArrowRight", { x: 1, y: 0 }, 10)).toEqual({ from: { x: 1, y: 1 }, to: { x: 15, y: 5 } });
  expect(rulerAfterKey(line, "Enter", undefined, 10)).toEqual(lineAt({ x: 5, y: 5 }));
  expect(rulerAfterKey(line, "Escape", undefined, 10)).toBeUndefined();
});

test("a window maps its ends to black and white, inverted to white and black", () => {
  const pixels = new Uint32Array(3);
  const bytes = new Uint8ClampedArray(pixels.buffer);
  applyWindow(Float32Array.of(0, 125, 250), { width: 250, centre: 125 }, false, pixels);
  expect([bytes[0], bytes[4], bytes[8], bytes[3]]).toEqual([0, 128, 255, 255]);
  expect([bytes[4], bytes[5], bytes[6]]).toEqual([128, 128, 128]);
  applyWindow(Float32Array.of(-1000, 125, 9000), { width: 250, centre: 125 }, true, pixels);
  expect([bytes[0], bytes[4], bytes[8]]).toEqual([255, 127, 0]);
});

test("captions do not cover each other", () => {
  const captionAt = (x_min: number, y_min: number) => ({ box: { x_min, y_min, x_max: x_min + 10, y_max: y_min + 10 }, width: 40 });
  const far = placeCaptions([captionAt(0, 50), captionAt(100, 50)], 18);
  expect(far).toEqual([{ x: 0, y: 32 }, { x: 100, y: 32 }]);
  const same = placeCaptions([captionAt(0, 50), captionAt(0, 50), captionAt(0, 50)], 18);
  expect(same).toEqual([{ x: 0, y: 32 }, { x: 0, y: 60 }, { x: 0, y: 14 }]);
  expect(placeCaptions([captionAt(0, 50), captionAt(20, 52)], 18)[1]).toEqual({ x: 20, y: 62 });
});
