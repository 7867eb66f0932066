/** From the stored values of a frame to what is shown, by the rules of the services: docs/decisions/0035. */
import type { DataSet } from "dicom-parser";
import { frameGroups, numbersOf, paddingTest, storedRange, storedValue, TAGS, type StoredFormat } from "./dicomValues.ts";
import type { Picture, Window } from "./picture.ts";

const SOFT_TISSUE_HU: Window = { width: 250, centre: 125 };
const DARKEST_AIR_HU = -900;
/** CT, Enhanced CT and Legacy Converted Enhanced CT Image Storage. */
const CT_CLASSES = ["1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.2.1", "1.2.840.10008.5.1.4.1.1.2.2"];

interface Rescale {
  slope: number;
  intercept: number;
  type: string | undefined;
}

export type Grey = Pick<Picture, "values" | "window" | "inverted" | "hounsfield">;

/** containers: of one frame, with all bits allocated. Undefined for what is left to the services, such as tables. */
export function greyOf(data: DataSet, frame: number, format: StoredFormat, containers: ArrayLike<number>): Grey | undefined {
  const photometric = data.string(TAGS.photometricInterpretation) ?? "";
  const groups = frameGroups(data, frame, TAGS.frameWindow);
  const rescale = rescaleOf(data, frame);
  if (!["MONOCHROME1", "MONOCHROME2"].includes(photometric) || rescale?.slope === 0) return undefined;
  if (data.elements[TAGS.modalityTable] !== undefined) return undefined;
  const isPadding = paddingTest(data, format);
  const { slope, intercept } = rescale ?? { slope: 1, intercept: 0 };
  const values = new Float32Array(containers.length);
  let [smallest, low, high] = [Infinity, Infinity, -Infinity];
  for (let index = 0; index < values.length; index += 1) {
    const container = containers[index]!;
    if (isPadding(container)) {
      values[index] = Number.NaN;
      continue;
    }
    const stored = storedValue(container, format);
    const value = stored * slope + intercept;
    values[index] = value;
    smallest = Math.min(smallest, stored);
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  const hounsfield = rescale !== undefined && isHounsfield(data, rescale, format, smallest);
  if (!hounsfield && groups.some((group) => group.elements[TAGS.windowTable] !== undefined)) return undefined;
  const inverted = !hounsfield && photometric === "MONOCHROME1";
  const black = inverted ? Infinity : -Infinity;
  for (let index = 0; index < values.length; index += 1) if (Number.isNaN(values[index])) values[index] = black;
  return { values, window: hounsfield ? SOFT_TISSUE_HU : ownWindow(groups, low, high), inverted, hounsfield };
}

function rescaleOf(data: DataSet, frame: number): Rescale | undefined {
  for (const group of frameGroups(data, frame, TAGS.pixelValueTransformation)) {
    const slope = numbersOf(group, TAGS.rescaleSlope)?.[0];
    const intercept = numbersOf(group, TAGS.rescaleIntercept)?.[0];
    if (slope === undefined && intercept === undefined) continue;
    return { slope: slope ?? 1, intercept: intercept ?? 0, type: group.string(TAGS.rescaleType)?.toUpperCase() || undefined };
  }
  return undefined;
}

function isHounsfield(data: DataSet, { slope, intercept, type }: Rescale, format: StoredFormat, smallest: number): boolean {
  if (type !== undefined) return type === "HU";
  const sopClass = data.string(TAGS.sopClass);
  if ((sopClass && !CT_CLASSES.includes(sopClass)) || data.string(TAGS.conversionType)) return false;
  if (slope === 1 && intercept === 0 && smallest >= 0) return false;
  return Math.min(...storedRange(format).map((end) => end * slope + intercept)) <= DARKEST_AIR_HU;
}

/** The first window of the file, within its values; that of all values where it has none (PS3.3, C.11.2.1.2). */
function ownWindow(groups: DataSet[], low: number, high: number): Window {
  for (const group of groups) {
    const centre = numbersOf(group, TAGS.windowCentre)?.[0];
    const width = numbersOf(group, TAGS.windowWidth)?.[0];
    if (centre === undefined || width === undefined || width <= 1) continue;
    const [from, to] = [centre - 0.5 - (width - 1) / 2, centre - 0.5 + (width - 1) / 2];
    const [first, last] = [Math.min(Math.max(low, from), to), Math.min(Math.max(high, from), to)];
    return { width: last - first, centre: (first + last) / 2 };
  }
  return { width: high - low, centre: (low + high) / 2 };
}
