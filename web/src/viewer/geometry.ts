/** The arithmetic of the viewer, without a canvas. */

/** Where the image is on the screen. */
export interface View {
  /** Screen pixels per image pixel. */
  zoom: number;
  /** Of the image's upper left corner, in screen pixels. */
  left: number;
  top: number;
}

/** One step of each arrow key, in the directions of the screen. */
export const ARROWS: Record<string, Point> = {
  ArrowLeft: { x: -1, y: 0 },
  ArrowRight: { x: 1, y: 0 },
  ArrowUp: { x: 0, y: -1 },
  ArrowDown: { x: 0, y: 1 },
};

export interface Point {
  x: number;
  y: number;
}

export interface Size {
  width: number;
  height: number;
}

export interface Box {
  x_min: number;
  y_min: number;
  x_max: number;
  y_max: number;
}

export interface Line {
  from: Point;
  to: Point;
}

/** Millimetres between rows and between columns. */
export interface Spacing {
  row: number;
  column: number;
}

const ZOOM_MIN = 0.05;
const ZOOM_MAX = 40;

/** The whole image, centred in the viewport. */
export function fittedView(image: Size, viewport: Size): View {
  const zoom = Math.min(viewport.width / image.width, viewport.height / image.height);
  return { zoom, left: (viewport.width - image.width * zoom) / 2, top: (viewport.height - image.height * zoom) / 2 };
}

/** Zoomed by a factor; the image point under `fixed` (screen pixels) stays there. */
export function zoomedView(view: View, factor: number, fixed: Point): View {
  const zoom = Math.min(ZOOM_MAX, Math.max(ZOOM_MIN, view.zoom * factor));
  const ratio = zoom / view.zoom;
  return { zoom, left: fixed.x - (fixed.x - view.left) * ratio, top: fixed.y - (fixed.y - view.top) * ratio };
}

export function movedView(view: View, x: number, y: number): View {
  return { ...view, left: view.left + x, top: view.top + y };
}

/** Two fingers moved: what was between them stays between them. */
export function pinchedView(view: View, from: readonly [Point, Point], to: readonly [Point, Point]): View {
  const [start, end] = [middle(...from), middle(...to)];
  const zoomed = zoomedView(view, distance(...to) / Math.max(distance(...from), 1), start);
  return movedView(zoomed, end.x - start.x, end.y - start.y);
}

function middle(one: Point, other: Point): Point {
  return { x: (one.x + other.x) / 2, y: (one.y + other.y) / 2 };
}

function distance(one: Point, other: Point): number {
  return Math.hypot(one.x - other.x, one.y - other.y);
}

export function toImage(view: View, screen: Point): Point {
  return { x: (screen.x - view.left) / view.zoom, y: (screen.y - view.top) / view.zoom };
}

/** In millimetres if the spacing is known, otherwise in pixels. The pixels of a display have the shorter side of the file's. */
export function lineLength({ from, to }: Line, spacing?: Spacing): { length: number; unit: "mm" | "px" } {
  const side = spacing ? Math.min(spacing.row, spacing.column) : 1;
  return { length: Math.hypot(to.x - from.x, to.y - from.y) * side, unit: spacing ? "mm" : "px" };
}

/** Where captions of a height stand that do not cover each other: above their boxes, or below, or as near above as there is room. */
export function placeCaptions(captions: readonly { box: Box; width: number }[], height: number): Point[] {
  const placed: Box[] = [];
  return captions.map(({ box, width }) => {
    const at = (y: number): Box => ({ x_min: box.x_min, y_min: y, x_max: box.x_min + width, y_max: y + height });
    const above = captions.map((_, row) => at(box.y_min - (row + 1) * height));
    const place = [above[0]!, at(box.y_max), ...above.slice(1)].find((one) => !placed.some((other) => overlap(one, other))) ?? above[0]!;
    placed.push(place);
    return { x: place.x_min, y: place.y_min };
  });
}

function overlap(one: Box, other: Box): boolean {
  return one.x_min < other.x_max && other.x_min < one.x_max && one.y_min < other.y_max && other.y_min < one.y_max;
}

/** The rectangle that a box of the file's pixels becomes under a matrix of quarter turns, reflections and scales. */
export function transformedBox(matrix: readonly number[], box: Box): Box {
  const one = transformedPoint(matrix, box.x_min, box.y_min);
  const other = transformedPoint(matrix, box.x_max, box.y_max);
  return {
    x_min: Math.min(one.x, other.x),
    y_min: Math.min(one.y, other.y),
    x_max: Math.max(one.x, other.x),
    y_max: Math.max(one.y, other.y),
  };
}

/** matrix: a, b, c, d, e, f as in a canvas. */
export function transformedPoint(matrix: readonly number[], x: number, y: number): Point {
  const [a = 1, b = 0, c = 0, d = 1, e = 0, f = 0] = matrix;
  return { x: a * x + c * y + e, y: b * x + d * y + f };
}

/** From pixels of the display to those of the image as sent: the inverse of transformedPoint. */
export function asSent(matrix: readonly number[], { x, y }: Point): Point {
  const [a = 1, b = 0, c = 0, d = 1, e = 0, f = 0] = matrix;
  const determinant = a * d - b * c;
  return { x: (d * (x - e) - c * (y - f)) / determinant, y: (a * (y - f) - b * (x - e)) / determinant };
}

const ZERO_AT = 2 ** 15;
const TABLE = new Uint32Array(2 * ZERO_AT);

/**
 * Writes grey values through a window as opaque pixels: the linear function of DICOM PS3.3, C.11.2.1.2.1.
 *
 * pixels: RGBA in one number each, in the byte order of ImageData on a little-endian machine.
 */
export function applyWindow(
  values: Float32Array | Int16Array,
  window: { width: number; centre: number },
  inverted: boolean,
  pixels: Uint32Array,
): void {
  const low = window.centre - window.width / 2;
  const scale = 255 / Math.max(window.width, 1e-6);
  const flip = inverted ? 255 : 0;
  const greyOf = (value: number) => 0xff000000 | (((Math.min(255, Math.max(0, (value - low) * scale + 0.5)) & 255) ^ flip) * 0x010101);
  if (values instanceof Int16Array) {
    // Whole numbers repeat: a table of all of them is filled faster than the arithmetic is repeated.
    for (let value = 0; value < TABLE.length; value += 1) TABLE[value] = greyOf(value - ZERO_AT);
    for (let index = 0; index < values.length; index += 1) pixels[index] = TABLE[values[index]! + ZERO_AT]!;
    return;
  }
  for (let index = 0; index < values.length; index += 1) {
    pixels[index] = greyOf(values[index]!);
  }
}
