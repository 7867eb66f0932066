/** The outline of a lesion while it is drawn: corners in pixels of the slice. Pure. */
import type { Point, Size } from "./geometry.ts";

export type Corners = readonly Point[];

/** What the server accepts in one slice. */
export const CORNERS_MAX = 400;
const TENTHS = 10;

/** Inside of the slice, and to a tenth of a pixel. */
export function clampedPoint({ x, y }: Point, { width, height }: Size): Point {
  const within = (value: number, maximum: number) => Math.round(Math.min(maximum, Math.max(0, value)) * TENTHS) / TENTHS;
  return { x: within(x, width), y: within(y, height) };
}

/** With a further corner, unless it lies within `distance` of the last one, or the outline is full. */
export function withCorner(corners: Corners, point: Point, distance = 0): Corners {
  const last = corners.at(-1);
  if (last && Math.hypot(last.x - point.x, last.y - point.y) <= distance) return corners;
  return corners.length < CORNERS_MAX ? [...corners, point] : corners;
}

/** Left, top and side of the square that is shown of a slice: around a box, or the whole slice. */
export function shownSquare(box: { x_min: number; y_min: number; x_max: number; y_max: number } | undefined, { width, height }: Size, margin: number) {
  const whole = Math.max(width, height);
  const side = box ? Math.min(whole, Math.max(box.x_max - box.x_min, box.y_max - box.y_min) * margin) : whole;
  const [x, y] = box ? [(box.x_min + box.x_max) / 2, (box.y_min + box.y_max) / 2] : [width / 2, height / 2];
  return { left: x - side / 2, top: y - side / 2, side };
}
