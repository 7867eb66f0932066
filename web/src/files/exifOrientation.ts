/** How a picture is turned for display, from the orientation in its EXIF data or TIFF tags (Exif 2.32, tag 0x0112). */
import type { Turn } from "./picture.ts";

const TURNS: Record<number, Turn> = {
  2: { transposed: false, flippedX: true, flippedY: false },
  3: { transposed: false, flippedX: true, flippedY: true },
  4: { transposed: false, flippedX: false, flippedY: true },
  5: { transposed: true, flippedX: false, flippedY: false },
  6: { transposed: true, flippedX: true, flippedY: false },
  7: { transposed: true, flippedX: true, flippedY: true },
  8: { transposed: true, flippedX: false, flippedY: true },
};
const ORIENTATION = 0x0112;
const LITTLE_ENDIAN = 0x4949;
const ENTRY_BYTES = 12;

/** data: a TIFF file, or EXIF data, which have its form. Undefined where it states none, and where it is damaged. */
export function statedTurn(data: Uint8Array, firstDirectory?: number): Turn | undefined {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  try {
    const little = view.getUint16(0) === LITTLE_ENDIAN;
    const directory = firstDirectory ?? view.getUint32(4, little);
    const count = view.getUint16(directory, little);
    for (let index = 0; index < count; index += 1) {
      const entry = directory + 2 + index * ENTRY_BYTES;
      if (view.getUint16(entry, little) === ORIENTATION) return TURNS[view.getUint16(entry + 8, little)];
    }
  } catch {
    return undefined; // the data ends too early
  }
  return undefined;
}
