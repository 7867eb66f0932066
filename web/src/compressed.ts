/** Pixels of compressed DICOM and of TIFF. Loaded only when such a file is chosen. */
import daikon from "daikon";
import { decode } from "tiff";

/** The stored values, 16 bits, little endian, of RLE, JPEG, JPEG-LS and JPEG 2000. Throws where they cannot be read. */
export function decompressed(bytes: Uint8Array<ArrayBuffer>): DataView {
  const image = daikon.Series.parseImage(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  if (image === null) throw new Error("no DICOM");
  image.decompress();
  return new DataView(image.getRawData());
}

export interface Greys {
  width: number;
  height: number;
  values: Float32Array;
  /** Of the file: 8 or 16. */
  bits: number;
  pages: number;
}

/** The first page of a TIFF as grey values of 0..255. Throws where it cannot be read. */
export function tiffGreys(bytes: Uint8Array): Greys {
  const pages = decode(bytes);
  const page = pages[0];
  if (page === undefined) throw new Error("no page");
  const { width, height, data, samplesPerPixel: samples, bitsPerSample: bits } = page;
  const values = new Float32Array(width * height);
  const twelve = bits === 16 && largest(data) < 4096;
  const scale = bits === 16 ? (twelve ? 255 / 4095 : 255 / 65535) : 1;
  for (let index = 0; index < values.length; index += 1) {
    const at = index * samples;
    const [red, green, blue] = [data[at] ?? 0, data[at + 1] ?? 0, data[at + 2] ?? 0];
    const grey = samples < 3 ? red : 0.299 * red + 0.587 * green + 0.114 * blue;
    values[index] = grey * scale;
  }
  return { width, height, values, bits, pages: pages.length };
}

function largest(data: ArrayLike<number>): number {
  let most = 0;
  for (let index = 0; index < data.length; index += 1) most = Math.max(most, data[index] ?? 0);
  return most;
}
