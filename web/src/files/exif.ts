/**
 * Pictures without their EXIF data. A browser turns a picture by its EXIF orientation, some formats and some browsers
 * excepted; createImageBitmap has no option against it. The gateway's coordinates refer to the pixels as stored.
 */
import type { Kind } from "./picture.ts";

interface Segment {
  name: string;
  start: number;
  end: number;
}

type Bytes = Uint8Array<ArrayBuffer>;

const JPEG_EXIF = "Exif\0\0";

/** In the form of a TIFF file; undefined where a picture has none. */
export function exifOf(kind: Kind, bytes: Bytes): Bytes | undefined {
  if (kind === "JPEG") return dataOf(bytes, jpegSegments(bytes), JPEG_EXIF, 10, 0);
  if (kind === "PNG") return dataOf(bytes, pngChunks(bytes), "eXIf", 8, 4);
  const found = kind === "WEBP" ? dataOf(bytes, webpChunks(bytes), "EXIF", 8, 0) : undefined;
  return found && textAt(found, 0, 6) === JPEG_EXIF ? found.subarray(6) : found;
}

/** headBytes, tailBytes: of a segment around its data. */
function dataOf(bytes: Bytes, segments: Iterable<Segment>, name: string, headBytes: number, tailBytes: number): Bytes | undefined {
  const found = [...segments].find((segment) => segment.name === name);
  return found && bytes.subarray(found.start + headBytes, found.end - tailBytes);
}

export function withoutExif(kind: Kind, bytes: Bytes): Bytes {
  if (kind === "JPEG") return without(bytes, jpegSegments(bytes), JPEG_EXIF);
  if (kind === "PNG") return without(bytes, pngChunks(bytes), "eXIf");
  return kind === "WEBP" ? withoutWebpExif(bytes) : bytes;
}

function without(bytes: Bytes, segments: Iterable<Segment>, name: string): Bytes {
  const found = [...segments].filter((segment) => segment.name === name);
  return found.reduceRight((rest, { start, end }) => concatenated(rest.subarray(0, start), rest.subarray(end)), bytes);
}

function concatenated(head: Bytes, tail: Bytes): Bytes {
  const joined = new Uint8Array(head.length + tail.length);
  joined.set(head);
  joined.set(tail, head.length);
  return joined;
}

/** Those before the image data (ITU-T T.81, B.1.1.4). name: the first six bytes of the content. */
function* jpegSegments(bytes: Bytes): Generator<Segment> {
  const view = viewOf(bytes);
  let start = 2;
  while (start + 4 <= bytes.length && bytes[start] === 0xff && bytes[start + 1] !== 0xda) {
    const end = start + 2 + view.getUint16(start + 2);
    yield { name: textAt(bytes, start + 4, 6), start, end };
    start = end;
  }
}

/** PNG, 5.3: length, type, data, checksum. */
function* pngChunks(bytes: Bytes): Generator<Segment> {
  const view = viewOf(bytes);
  let start = 8;
  while (start + 12 <= bytes.length) {
    const end = start + 12 + view.getUint32(start);
    yield { name: textAt(bytes, start + 4, 4), start, end };
    start = end;
  }
}

/** The chunk gets a name that readers ignore: removing it would change sizes and flags in the headers (RFC 9649, 2.7). */
function withoutWebpExif(bytes: Bytes): Bytes {
  const copy = new Uint8Array(bytes);
  for (const { name, start } of webpChunks(bytes)) {
    if (name === "EXIF") copy.set([0x58, 0x58, 0x58, 0x58], start);
  }
  return copy;
}

function* webpChunks(bytes: Bytes): Generator<Segment> {
  const view = viewOf(bytes);
  for (let start = 12; start + 8 <= bytes.length; ) {
    const size = view.getUint32(start + 4, true);
    yield { name: textAt(bytes, start, 4), start, end: start + 8 + size };
    start += 8 + size + (size % 2);
  }
}

function viewOf(bytes: Bytes): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function textAt(bytes: Bytes, start: number, length: number): string {
  return String.fromCharCode(...bytes.subarray(start, start + length));
}
