/** The pages of a TIFF: a linked list of image file directories (TIFF 6.0, section 2). */
import { FRAMES_MAX } from "./picture.ts";

const HEADER_FIRST_OFFSET = 4;
const ENTRY_BYTES = 12;
const VALUE_OFFSET = 8;
const ORIENTATION = 274;

/** Offsets of the directories, in order. A damaged chain ends where it cannot be followed. */
export function pageOffsets(bytes: Uint8Array): number[] {
  const { view, littleEndian } = viewOf(bytes);
  const offsets: number[] = [];
  let offset = bytes.length < 8 ? 0 : view.getUint32(HEADER_FIRST_OFFSET, littleEndian);
  while (offset !== 0 && offset + 2 <= bytes.length && !offsets.includes(offset) && offsets.length <= FRAMES_MAX) {
    offsets.push(offset);
    const link = linkPosition(view, offset, littleEndian);
    offset = link + 4 <= bytes.length ? view.getUint32(link, littleEndian) : 0;
  }
  return offsets;
}

/** A copy whose only page is page `index`. Offsets in a TIFF are absolute, so only two links change. */
export function singlePageTiff(bytes: Uint8Array, index: number): Uint8Array<ArrayBuffer> {
  const offset = pageOffsets(bytes)[index];
  if (offset === undefined) throw new RangeError(`the file has no page ${index}`);
  const copy = new Uint8Array(bytes);
  const { view, littleEndian } = viewOf(copy);
  view.setUint32(HEADER_FIRST_OFFSET, offset, littleEndian);
  view.setUint32(linkPosition(view, offset, littleEndian), 0, littleEndian);
  return copy;
}

/** A copy whose first page has no orientation: its pixels are wanted as stored, and the decoder refuses to turn them. */
export function asStored(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const copy = new Uint8Array(bytes);
  const { view, littleEndian } = viewOf(copy);
  const offset = view.getUint32(HEADER_FIRST_OFFSET, littleEndian);
  for (let entry = offset + 2; entry < linkPosition(view, offset, littleEndian); entry += ENTRY_BYTES) {
    if (view.getUint16(entry, littleEndian) === ORIENTATION) view.setUint16(entry + VALUE_OFFSET, 1, littleEndian);
  }
  return copy;
}

function viewOf(bytes: Uint8Array): { view: DataView; littleEndian: boolean } {
  return { view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), littleEndian: bytes[0] === 0x49 };
}

/** Where the offset of the next directory is stored: after the entries of this one. */
function linkPosition(view: DataView, offset: number, littleEndian: boolean): number {
  return offset + 2 + view.getUint16(offset, littleEndian) * ENTRY_BYTES;
}
