/** How an image is displayed: its orientation, and what the user chose. */
import type { Detection } from "../api.ts";
import type { Window } from "../files/picture.ts";
import type { Size, Spacing } from "./geometry.ts";

/** What the user chose. */
export interface DisplaySettings {
  window: Window;
  inverted: boolean;
  ruler: boolean;
  sideBySide: boolean;
}

/** Standard radiological display with square pixels, and the transform from the pixels of the file. */
export type Display = Detection["image"]["display"];

/** Of an image without a result: as its pixels lie in the file. */
export function displayAsSent({ width, height }: Size, spacing_mm: Spacing = { row: 1, column: 1 }): Display {
  const side_mm = Math.min(spacing_mm.row, spacing_mm.column);
  const [across, down] = [spacing_mm.column / side_mm, spacing_mm.row / side_mm];
  return { matrix: [across, 0, 0, down, 0, 0], width: width * across, height: height * down, patient_sides: null };
}
