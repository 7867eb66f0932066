/** Formats that the browser decodes: PNG, JPEG, BMP and WebP. */
import { exifOf, withoutExif } from "./exif.ts";
import { statedTurn } from "./exifOrientation.ts";
import { formatFact, FULL_RANGE, luma, type Inspection, type Kind } from "./picture.ts";

const PNG_BIT_DEPTH = 24;
const BRIGHTEST_OF_12_BITS = 16;

export async function inspectBitmap(kind: Kind, bytes: Uint8Array<ArrayBuffer>): Promise<Inspection> {
  const unknown: Inspection = { kind, facts: [], frames: 1 };
  let bitmap: ImageBitmap;
  try {
    bitmap = await createImageBitmap(new Blob([withoutExif(kind, bytes)]));
  } catch {
    return unknown;
  }
  const { width, height } = bitmap;
  const context = new OffscreenCanvas(width, height).getContext("2d", { alpha: false, willReadFrequently: true }); // transparent is black
  if (context === null) return unknown;
  context.drawImage(bitmap, 0, 0);
  const { data } = context.getImageData(0, 0, width, height);
  const values = new Float32Array(width * height);
  for (let index = 0; index < values.length; index += 1) {
    const offset = index * 4;
    values[index] = luma(data[offset] ?? 0, data[offset + 1] ?? 0, data[offset + 2] ?? 0);
  }
  // The browser keeps the upper 8 of 16 bits; where fewer are in use, it shows next to nothing of what the services read.
  if (kind === "PNG" && bytes[PNG_BIT_DEPTH] === 16 && values.every((value) => value < BRIGHTEST_OF_12_BITS)) return unknown;
  const exif = exifOf(kind, bytes);
  const turn = exif && statedTurn(exif);
  const picture = { width, height, values, window: FULL_RANGE, inverted: false, hounsfield: false, ...(turn ? { turn } : {}) };
  return { kind, facts: [formatFact(kind, width, height)], frames: 1, picture };
}
