/** What a file is, from its content, and how it is displayed here. The services read the file again on their own. */
import type { MessageKey } from "../i18n/en.ts";
import type { Values } from "../i18n/translator.ts";
import { inspectBitmap } from "./bitmap.ts";
import { inspectDicom } from "./dicom.ts";
import type { Inspection, Kind } from "./picture.ts";
import { inspectTiff } from "./tiff.ts";

const MEGABYTE = 1_000_000;
const UPLOAD_MB_MAX: Record<Kind, number> = { PNG: 20, JPEG: 20, TIFF: 20, BMP: 20, WEBP: 20, DICOM: 64 };

export function kindOf(bytes: Uint8Array): Kind | undefined {
  const startsWith = (...expected: number[]) => expected.every((byte, index) => bytes[index] === byte);
  const text = (from: number, length: number) => String.fromCharCode(...bytes.subarray(from, from + length));
  if (text(128, 4) === "DICM") return "DICOM"; // first: its preamble may be the header of a TIFF
  if (startsWith(0x89, 0x50, 0x4e, 0x47)) return "PNG";
  if (startsWith(0xff, 0xd8, 0xff)) return "JPEG";
  if (text(0, 4) === "II*\0" || text(0, 4) === "MM\0*" || text(0, 4) === "II+\0" || text(0, 4) === "MM\0+") return "TIFF";
  if (text(0, 2) === "BM") return "BMP";
  if (text(0, 4) === "RIFF" && text(8, 4) === "WEBP") return "WEBP";
  return undefined;
}

/** frame: whose picture is decoded, from 0. Never throws: what cannot be read here is left to the services. */
export async function inspectFile(file: Blob, frame = 0): Promise<Inspection> {
  let bytes: Uint8Array<ArrayBuffer>;
  try {
    bytes = new Uint8Array(await file.arrayBuffer());
  } catch {
    return refused(undefined, "notAnImage", {});
  }
  const kind = kindOf(bytes);
  if (kind === undefined) return refused(kind, "notAnImage", {});
  const megabytes = UPLOAD_MB_MAX[kind];
  if (bytes.length > megabytes * MEGABYTE) return refused(kind, "tooLarge", { megabytes });
  if (kind === "DICOM") return inspectDicom(bytes, frame);
  return kind === "TIFF" ? inspectTiff(bytes, frame) : inspectBitmap(kind, bytes);
}

function refused(kind: Kind | undefined, key: MessageKey, values: Values): Inspection {
  return { kind, facts: [], frames: 1, refusal: { key, values } };
}
