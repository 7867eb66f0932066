/** How an image is displayed: its orientation, and what the user chose. */
import type { Detection } from "../api.ts";
import type { Picture, Window } from "../files/picture.ts";

/** What the first button and one finger do. */
export type Tool = "move" | "ruler" | "crosshair";

/** What the user chose. */
export interface DisplaySettings {
  window: Window;
  inverted: boolean;
  tool: Tool;
  sideBySide: boolean;
}

/** Standard radiological display with square pixels, and the transform from the pixels of the file. */
export type Display = Omit<Detection["image"]["display"], "patient_sides"> & { patient_sides: PatientSides | null };

/** Which side of the patient is at each edge: right, left, anterior, posterior, head or feet (DICOM PS3.3, C.7.6.1.1.1). */
export type PatientSides = Record<"left" | "top" | "right" | "bottom", "R" | "L" | "A" | "P" | "H" | "F">;

type Stated = Pick<Picture, "width" | "height" | "spacing_mm" | "pixelAspect" | "turn">;

const AS_SENT = { transposed: false, flippedX: false, flippedY: false };

/** Of an image without a result: turned as its file states, else as its pixels lie in it. */
export function statedDisplay(picture: Stated): Display {
  const { row, column } = picture.spacing_mm ?? { row: picture.pixelAspect ?? 1, column: 1 };
  const [across, down] = [column / Math.min(row, column), row / Math.min(row, column)];
  const { transposed, flippedX, flippedY } = picture.turn ?? AS_SENT;
  const sent = [picture.width * across, picture.height * down] as const;
  const [width, height] = transposed ? [sent[1], sent[0]] : sent;
  const [x, y] = [flippedX ? -1 : 1, flippedY ? -1 : 1];
  const [e, f] = [flippedX ? width : 0, flippedY ? height : 0];
  const matrix: Display["matrix"] = transposed ? [0, y * across, x * down, 0, e, f] : [x * across, 0, 0, y * down, e, f];
  return { matrix, width, height, patient_sides: null };
}
