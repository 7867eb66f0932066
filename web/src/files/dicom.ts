import dicomParser from "dicom-parser";
import { greyOf } from "./dicomGrey.ts";
import { turnOf } from "./dicomOrientation.ts";
import { frameGroups, numbersOf, storedFormat, TAGS } from "./dicomValues.ts";
import { formatFact, type Inspection, type Picture, type Text } from "./picture.ts";

const MEDIA_STORAGE_DIRECTORY = "1.2.840.10008.1.3.10";
const UNCOMPRESSED = new Set(["1.2.840.10008.1.2", "1.2.840.10008.1.2.1"]);

export async function inspectDicom(bytes: Uint8Array<ArrayBuffer>, frame: number): Promise<Inspection> {
  let data: dicomParser.DataSet;
  try {
    data = dicomParser.parseDicom(bytes);
  } catch {
    return { kind: "DICOM", facts: [], frames: 1 };
  }
  if (data.string(TAGS.mediaStorageSopClass) === MEDIA_STORAGE_DIRECTORY) {
    return { kind: "DICOM", facts: [], frames: 1, refusal: { key: "dicomdir", values: {} } };
  }
  const modality = data.string(TAGS.modality) ?? "";
  const inspection: Inspection = { kind: "DICOM", facts: factsOf(data, modality), frames: data.intString(TAGS.numberOfFrames) ?? 1 };
  if (modality && modality !== "CT") return { ...inspection, refusal: { key: "wrongModality", values: { modality } } };
  const picture = await decodeFrame(data, bytes, frame).catch(() => undefined);
  return picture === undefined ? inspection : { ...inspection, picture };
}

function factsOf(data: dicomParser.DataSet, modality: string): Text[] {
  const { width, height } = sizeOf(data);
  const facts = [formatFact(`DICOM ${modality}`.trim(), width, height)];
  const series = data.string(TAGS.seriesDescription);
  const instance = data.string(TAGS.instanceNumber);
  const thickness_mm = data.floatString(TAGS.sliceThickness);
  if (series) facts.push({ key: "factSeries", values: { value: series } });
  if (instance) facts.push({ key: "factInstance", values: { value: instance } });
  if (thickness_mm) facts.push({ key: "factSliceThickness", values: { value: thickness_mm } });
  return facts;
}

function sizeOf(data: dicomParser.DataSet): { width: number; height: number } {
  return { width: data.uint16(TAGS.columns) ?? 0, height: data.uint16(TAGS.rows) ?? 0 };
}

/** One frame of 8- or 16-bit greyscale; undefined for anything else, which the services may still read. */
async function decodeFrame(data: dicomParser.DataSet, bytes: Uint8Array<ArrayBuffer>, frame: number): Promise<Picture | undefined> {
  const { width, height } = sizeOf(data);
  const format = storedFormat(data);
  if (format === undefined || width * height === 0) return undefined;
  const containers = await containersOf(data, bytes, frame, width * height, format.allocated);
  const grey = containers && greyOf(data, frame, format, containers);
  if (grey === undefined) return undefined;
  const turn = turnOf(data, frame);
  const spacings = frameGroups(data, frame, TAGS.pixelMeasures).map((group) => numbersOf(group, TAGS.pixelSpacing));
  const [row, column] = spacings.find((spacing) => spacing !== undefined) ?? [];
  const [high = 1, wide = 1] = numbersOf(data, TAGS.pixelAspectRatio) ?? [];
  const known = row !== undefined && column !== undefined && row > 0 && column > 0;
  return {
    width,
    height,
    ...grey,
    ...(known ? { spacing_mm: { row, column } } : {}),
    ...(!known && high > 0 && wide > 0 ? { pixelAspect: high / wide } : {}),
    ...(turn ? { turn } : {}),
  };
}

/** Numbers without a sign, with all bits allocated. */
async function containersOf(
  data: dicomParser.DataSet,
  bytes: Uint8Array<ArrayBuffer>,
  frame: number,
  pixels: number,
  allocated: number,
): Promise<ArrayLike<number> | undefined> {
  const element = data.elements[TAGS.pixelData];
  if (element === undefined) return undefined;
  const view = UNCOMPRESSED.has(data.string(TAGS.transferSyntax) ?? "")
    ? new DataView(bytes.buffer, bytes.byteOffset + element.dataOffset, element.length)
    : (await import("./codecs.ts")).decompressDicom(bytes);
  const size = allocated / 8;
  const start = frame * pixels * size;
  if (view.byteLength < start + pixels * size) return undefined;
  if (size === 1) return new Uint8Array(view.buffer, view.byteOffset + start, pixels);
  return Uint16Array.from({ length: pixels }, (_, index) => view.getUint16(start + index * 2, true));
}
