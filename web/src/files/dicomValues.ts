/** Elements and stored values of one frame of a DICOM object, as hepar.imaging reads them. */
import type { DataSet } from "dicom-parser";

export const TAGS = {
  mediaStorageSopClass: "x00020002",
  transferSyntax: "x00020010",
  sopClass: "x00080016",
  modality: "x00080060",
  conversionType: "x00080064",
  seriesDescription: "x0008103e",
  sliceThickness: "x00180050",
  instanceNumber: "x00200013",
  patientOrientation: "x00200020",
  imageOrientation: "x00200037",
  planeOrientation: "x00209116",
  photometricInterpretation: "x00280004",
  numberOfFrames: "x00280008",
  rows: "x00280010",
  columns: "x00280011",
  pixelSpacing: "x00280030",
  pixelAspectRatio: "x00280034",
  bitsAllocated: "x00280100",
  bitsStored: "x00280101",
  highBit: "x00280102",
  pixelRepresentation: "x00280103",
  pixelPadding: "x00280120",
  pixelPaddingLimit: "x00280121",
  windowCentre: "x00281050",
  windowWidth: "x00281051",
  rescaleIntercept: "x00281052",
  rescaleSlope: "x00281053",
  rescaleType: "x00281054",
  modalityTable: "x00283000",
  windowTable: "x00283010",
  pixelMeasures: "x00289110",
  frameWindow: "x00289132",
  pixelValueTransformation: "x00289145",
  sharedFunctionalGroups: "x52009229",
  perFrameFunctionalGroups: "x52009230",
  pixelData: "x7fe00010",
} as const;

/** Where an element of a frame may be: functional groups outrank the top level (PS3.3, C.7.6.16). */
export function frameGroups(data: DataSet, frame: number, group: string): DataSet[] {
  const perFrame = data.elements[TAGS.perFrameFunctionalGroups]?.items?.[frame];
  const shared = data.elements[TAGS.sharedFunctionalGroups]?.items?.[0];
  const groups = [perFrame, shared].map((item) => item?.dataSet?.elements[group]?.items?.[0]?.dataSet);
  return [...groups.filter((found) => found !== undefined), data];
}

/** Undefined where an element is missing, empty or not made of numbers. */
export function numbersOf(data: DataSet, tag: string): number[] | undefined {
  const numbers = data.string(tag)?.split("\\").map(Number);
  return numbers?.length && data.string(tag) && numbers.every(Number.isFinite) ? numbers : undefined;
}

/** PS3.5, 8.1.1: `stored` bits, of which the highest is bit `high`, in a container of `allocated`. */
export interface StoredFormat {
  allocated: number;
  stored: number;
  high: number;
  signed: boolean;
}

export function storedFormat(data: DataSet): StoredFormat | undefined {
  const allocated = data.uint16(TAGS.bitsAllocated);
  if (allocated !== 8 && allocated !== 16) return undefined;
  const stored = data.uint16(TAGS.bitsStored) ?? allocated;
  const high = data.uint16(TAGS.highBit) ?? stored - 1;
  const plausible = stored >= 1 && stored - 1 <= high && high < allocated;
  return plausible ? { allocated, stored, high, signed: data.uint16(TAGS.pixelRepresentation) === 1 } : undefined;
}

/** The smallest and the largest value that can be stored. */
export function storedRange({ stored, signed }: StoredFormat): [number, number] {
  return signed ? [-(2 ** (stored - 1)), 2 ** (stored - 1) - 1] : [0, 2 ** stored - 1];
}

/** container: as in the file, with all bits allocated. */
export function storedValue(container: number, { stored, high, signed }: StoredFormat): number {
  return wrapped(container >> (high + 1 - stored), stored, signed);
}

/** Tells whether a container is padding (PS3.3, C.7.5.1.1.2), whatever sign its value was written with. */
export function paddingTest(data: DataSet, format: StoredFormat): (container: number) => boolean {
  const bounds = [data.uint16(TAGS.pixelPadding), data.uint16(TAGS.pixelPaddingLimit)].filter((bound) => bound !== undefined);
  if (data.uint16(TAGS.pixelPadding) === undefined) return () => false;
  const { allocated, stored, signed } = format;
  const within = (bits: number) => {
    const limits = bounds.map((bound) => wrapped(bound, bits, signed));
    return (value: number) => value >= Math.min(...limits) && value <= Math.max(...limits);
  };
  const [smallest, largest] = storedRange(format);
  const written = bounds.map((bound) => wrapped(bound, allocated, signed));
  const isContainer = within(allocated);
  const isValue = signed || written.every((bound) => bound >= smallest && bound <= largest) ? within(stored) : () => false;
  return (container) => isContainer(wrapped(container, allocated, signed)) || isValue(storedValue(container, format));
}

/** The lowest `bits`, read with or without a sign. */
function wrapped(value: number, bits: number, signed: boolean): number {
  const sign = 1 << (bits - 1);
  const low = value & ((1 << bits) - 1);
  return signed ? (low ^ sign) - sign : low;
}
