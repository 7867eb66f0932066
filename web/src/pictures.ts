/** What a file is, from its bytes, and how it is shown here: the services read it again, on their own. */
import dicomParser from "dicom-parser";

export type Kind = "PNG" | "JPEG" | "TIFF" | "BMP" | "WEBP" | "DICOM";

/** Grey values of a picture. window: width and centre that the file itself asks for. */
export interface Picture {
  width: number;
  height: number;
  values: Float32Array;
  window: { width: number; centre: number };
  inverted: boolean;
  spacingMm?: { row: number; column: number };
  hounsfield: boolean;
}

export interface Looked {
  kind: Kind;
  facts: [string, string][];
  /** Why it will be refused; undefined where it may be sent. */
  refusal?: { word: "notAnImage" | "tooLarge" | "wrongModality"; values: Record<string, string | number> };
  /** undefined where this browser cannot show it. */
  picture?: Picture;
}

const MEGABYTE = 1_000_000;
const LIMIT_MB: Record<Kind, number> = { PNG: 20, JPEG: 20, TIFF: 20, BMP: 20, WEBP: 20, DICOM: 64 };
const SOFT_TISSUE = { width: 250, centre: 125 };
const PLAIN = new Set(["1.2.840.10008.1.2", "1.2.840.10008.1.2.1"]);

export function kindOf(bytes: Uint8Array): Kind | undefined {
  const begins = (...wanted: number[]) => wanted.every((byte, index) => bytes[index] === byte);
  const text = (from: number, length: number) => String.fromCharCode(...bytes.subarray(from, from + length));
  if (begins(0x89, 0x50, 0x4e, 0x47)) return "PNG";
  if (begins(0xff, 0xd8, 0xff)) return "JPEG";
  if (text(0, 4) === "II*\0" || text(0, 4) === "MM\0*") return "TIFF";
  if (text(0, 2) === "BM") return "BMP";
  if (text(0, 4) === "RIFF" && text(8, 4) === "WEBP") return "WEBP";
  if (text(128, 4) === "DICM") return "DICOM";
  return undefined;
}

export async function look(file: Blob): Promise<Looked> {
  const bytes = new Uint8Array(await file.arrayBuffer());
  const kind = kindOf(bytes);
  if (kind === undefined) return { kind: "PNG", facts: [], refusal: { word: "notAnImage", values: {} } };
  if (bytes.length > LIMIT_MB[kind] * MEGABYTE) {
    return { kind, facts: [], refusal: { word: "tooLarge", values: { megabytes: LIMIT_MB[kind] } } };
  }
  if (kind === "DICOM") return lookAtDicom(bytes);
  return kind === "TIFF" ? lookAtTiff(bytes) : lookAtBitmap(kind, file);
}

async function lookAtBitmap(kind: Kind, file: Blob): Promise<Looked> {
  let bitmap: ImageBitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    return { kind, facts: [] };
  }
  const { width, height } = bitmap;
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (context === null) return { kind, facts: [] };
  context.drawImage(bitmap, 0, 0);
  const { data } = context.getImageData(0, 0, width, height);
  const values = new Float32Array(width * height);
  for (let index = 0; index < values.length; index += 1) {
    const at = index * 4;
    values[index] = 0.299 * (data[at] ?? 0) + 0.587 * (data[at + 1] ?? 0) + 0.114 * (data[at + 2] ?? 0);
  }
  const facts: [string, string][] = [["", `${kind}, ${width} × ${height}`]];
  return { kind, facts, picture: { width, height, values, window: { width: 255, centre: 127.5 }, inverted: false, hounsfield: false } };
}

async function lookAtTiff(bytes: Uint8Array): Promise<Looked> {
  const kind = "TIFF";
  try {
    const { tiffGreys } = await import("./compressed.ts");
    const { width, height, values, bits, pages } = tiffGreys(bytes);
    const facts: [string, string][] = [["", `${kind}, ${width} × ${height}, ${bits} bit${pages > 1 ? `, 1 / ${pages}` : ""}`]];
    return { kind, facts, picture: { width, height, values, window: { width: 255, centre: 127.5 }, inverted: false, hounsfield: false } };
  } catch {
    return { kind, facts: [] };
  }
}

async function lookAtDicom(bytes: Uint8Array<ArrayBuffer>): Promise<Looked> {
  let data: dicomParser.DataSet;
  try {
    data = dicomParser.parseDicom(bytes);
  } catch {
    return { kind: "DICOM", facts: [] };
  }
  const modality = data.string("x00080060") ?? "";
  const width = data.uint16("x00280011") ?? 0;
  const height = data.uint16("x00280010") ?? 0;
  const facts: [string, string][] = [["", `DICOM ${modality}, ${width} × ${height}`]];
  for (const [name, tag] of [["Series", "x0008103e"], ["Instance", "x00200013"], ["Slice, mm", "x00180050"]] as const) {
    const value = data.string(tag);
    if (value) facts.push([name, value]);
  }
  if (modality && modality !== "CT") return { kind: "DICOM", facts, refusal: { word: "wrongModality", values: { modality } } };
  const picture = await pixelsOf(data, bytes, width, height).catch(() => undefined);
  return picture === undefined ? { kind: "DICOM", facts } : { kind: "DICOM", facts, picture };
}

/** The first frame of 16-bit greyscale. What is not read here, the services may still read. */
async function pixelsOf(
  data: dicomParser.DataSet,
  bytes: Uint8Array<ArrayBuffer>,
  width: number,
  height: number,
): Promise<Picture | undefined> {
  const element = data.elements["x7fe00010"];
  if (element === undefined || data.uint16("x00280100") !== 16 || width * height === 0) return undefined;
  const signed = data.uint16("x00280103") === 1;
  const view = PLAIN.has(data.string("x00020010") ?? "")
    ? new DataView(bytes.buffer, bytes.byteOffset + element.dataOffset, element.length)
    : (await import("./compressed.ts")).decompressed(bytes);
  if (view.byteLength < width * height * 2) return undefined;
  const slope = data.floatString("x00281053") ?? 1;
  const intercept = data.floatString("x00281052") ?? 0;
  const values = new Float32Array(width * height);
  for (let index = 0; index < values.length; index += 1) {
    const stored = signed ? view.getInt16(index * 2, true) : view.getUint16(index * 2, true);
    values[index] = stored * slope + intercept;
  }
  const row = data.floatString("x00280030", 0);
  const column = data.floatString("x00280030", 1);
  return {
    width,
    height,
    values,
    window: SOFT_TISSUE,
    inverted: data.string("x00280004") === "MONOCHROME1",
    hounsfield: true,
    ...(row && column ? { spacingMm: { row, column } } : {}),
  };
}
