/** How an axial slice is turned for display, from what its file states: docs/decisions/0036. */
import type { DataSet } from "dicom-parser";
import { frameGroups, numbersOf, TAGS } from "./dicomValues.ts";
import type { Turn } from "./picture.ts";

/** Unit vectors: x to the patient's left, y to the back, z to the head. */
const LETTERS: Record<string, [number, number, number]> = {
  L: [1, 0, 0],
  R: [-1, 0, 0],
  P: [0, 1, 0],
  A: [0, -1, 0],
  H: [0, 0, 1],
  F: [0, 0, -1],
};

/** Undefined where the file does not state it, and for slices that are not axial, which the services refuse. */
export function turnOf(data: DataSet, frame: number): Turn | undefined {
  const directions = directionsOfImage(data, frame) ?? directionsOfPatient(data);
  if (directions === undefined) return undefined;
  const [rowX, rowY, , columnX, columnY] = directions;
  if (Math.abs(rowX * columnY - rowY * columnX) < Math.SQRT1_2) return undefined;
  const transposed = Math.abs(rowX) < Math.abs(rowY);
  return { transposed, flippedX: (transposed ? columnX : rowX) < 0, flippedY: (transposed ? rowY : columnY) < 0 };
}

type Directions = [number, number, number, number, number, number];

function directionsOfImage(data: DataSet, frame: number): Directions | undefined {
  const groups = frameGroups(data, frame, TAGS.planeOrientation);
  const numbers = groups.map((group) => numbersOf(group, TAGS.imageOrientation)).find((found) => found !== undefined);
  return numbers?.length === 6 ? (numbers as Directions) : undefined;
}

function directionsOfPatient(data: DataSet): Directions | undefined {
  const values = data.string(TAGS.patientOrientation)?.split("\\") ?? [];
  const [row, column] = values.map((value) => LETTERS[value.trim().charAt(0).toUpperCase()]);
  return values.length === 2 && row && column ? [...row, ...column] : undefined;
}
