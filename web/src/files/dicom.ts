import dicomParser from "dicom-parser";
import { formatFact, type Inspection, type Picture, type Text } from "./picture.ts";

const SOFT_TISSUE_HU = { width: 250, centre: 125 };
const MEDIA_STORAGE_DIRECTORY = "1.2.840.10008.1.3.10";
const UNCOMPRESSED = new Set(["1.2.840.10008.1.2", "1.2.840.10008.1.2.1"]);

const TAGS = {
  mediaStorageSopClass: "x00020002",
  transferSyntax: "x00020010",
  modality: "x00080060",
  seriesDescription: "x0008103e",
  sliceThickness: "x00180050",
  instanceNumber: "x00200013",
  photometricInterpretation: "x00280004",
  numberOfFrames: "x00280008",
  rows: "x00280010",
  columns: "x00280011",
  pixelSpacing: "x00280030",
  bitsAllocated: "x00280100",
  pixelRepresentation: "x00280103",
  rescaleIntercept: "x00281052",
  rescaleSlope: "x00281053",
  pixelMeasures: "x00289110",
  pixelValueTransformation: "x00289145",
  sharedFunctionalGroups: "x52009229",
  perFrameFunctionalGroups: "x52009230",
  pixelData: "x7fe00010",
} as const;

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

/** One frame of 16-bit greyscale; undefined for anything else, which the services may still read. */
async function decodeFrame(data: dicomParser.DataSet, bytes: Uint8Array<ArrayBuffer>, frame: number): Promise<Picture | undefined> {
  const { width, height } = sizeOf(data);
  if (data.uint16(TAGS.bitsAllocated) !== 16 || width * height === 0) return undefined;
  const stored = await storedValues(data, bytes, frame, width * height);
  if (stored === undefined) return undefined;
  const rescale = frameGroup(data, frame, TAGS.pixelValueTransformation, TAGS.rescaleSlope);
  const slope = rescale.floatString(TAGS.rescaleSlope) ?? 1;
  const intercept = rescale.floatString(TAGS.rescaleIntercept) ?? 0;
  const measures = frameGroup(data, frame, TAGS.pixelMeasures, TAGS.pixelSpacing);
  const row = measures.floatString(TAGS.pixelSpacing, 0);
  const column = measures.floatString(TAGS.pixelSpacing, 1);
  return {
    width,
    height,
    values: stored.map((value) => value * slope + intercept),
    window: SOFT_TISSUE_HU,
    inverted: data.string(TAGS.photometricInterpretation) === "MONOCHROME1",
    hounsfield: true,
    ...(row && column ? { spacing_mm: { row, column } } : {}),
  };
}

async function storedValues(
  data: dicomParser.DataSet,
  bytes: Uint8Array<ArrayBuffer>,
  frame: number,
  pixels: number,
): Promise<Float32Array | undefined> {
  const element = data.elements[TAGS.pixelData];
  if (element === undefined) return undefined;
  const view = UNCOMPRESSED.has(data.string(TAGS.transferSyntax) ?? "")
    ? new DataView(bytes.buffer, bytes.byteOffset + element.dataOffset, element.length)
    : (await import("./codecs.ts")).decompressDicom(bytes);
  const start = frame * pixels * 2;
  if (view.byteLength < start + pixels * 2) return undefined;
  const signed = data.uint16(TAGS.pixelRepresentation) === 1;
  const values = new Float32Array(pixels);
  for (let index = 0; index < pixels; index += 1) {
    const offset = start + index * 2;
    values[index] = signed ? view.getInt16(offset, true) : view.getUint16(offset, true);
  }
  return values;
}

/** The data set that holds `tag` for the frame: functional groups outrank the top level (PS3.3, C.7.6.16). */
function frameGroup(data: dicomParser.DataSet, frame: number, group: string, tag: string): dicomParser.DataSet {
  const perFrame = data.elements[TAGS.perFrameFunctionalGroups]?.items?.[frame];
  const shared = data.elements[TAGS.sharedFunctionalGroups]?.items?.[0];
  for (const item of [perFrame, shared]) {
    const found = item?.dataSet?.elements[group]?.items?.[0]?.dataSet;
    if (found?.elements[tag] !== undefined) return found;
  }
  return data;
}
