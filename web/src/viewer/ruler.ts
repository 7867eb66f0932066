import type { Line, Point } from "./geometry.ts";

export function lineAt(point: Point): Line {
  return { from: point, to: point };
}

/**
 * The ruler after a key: an arrow moves its end by `step` image pixels, Enter starts a new line there, Escape removes it.
 *
 * arrow: the direction of an arrow key; undefined for other keys.
 */
export function rulerAfterKey(line: Line, key: string, arrow: Point | undefined, step: number): Line | undefined {
  if (key === "Escape") return undefined;
  if (arrow === undefined) return lineAt(line.to);
  return { ...line, to: { x: line.to.x + arrow.x * step, y: line.to.y + arrow.y * step } };
}
