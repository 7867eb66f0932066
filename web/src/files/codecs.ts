/** Decoders for compressed DICOM and for TIFF. Loaded only when such a file is chosen. */
import daikon from "daikon";
import { decode } from "tiff";
import { luma } from "./picture.ts";
import { asStored, singlePageTiff } from "./tiffPages.ts";

const TWELVE_BITS = 4096;

/** Stored values of all frames, 16 bits, little endian, from RLE, JPEG or JPEG 2000. Throws if they cannot be decoded. */
export function decompressDicom(bytes: Uint8Array<ArrayBuffer>): DataView {
  const image = daikon.Series.parseImage(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  if (image === null) throw new Error("not a DICOM file");
  image.decompress();
  return new DataView(image.getRawData());
}

export interface TiffPage {
  width: number;
  height: number;
  /** 0 to 255. */
  values: Float32Array;
  /** Per sample in the file: 8 or 16. */
  bits: number;
}

/** page: from 0. Throws if it cannot be decoded. */
export function decodeTiffPage(bytes: Uint8Array, index: number): TiffPage {
  const page = decode(asStored(singlePageTiff(bytes, index)))[0];
  if (page === undefined) throw new Error("a TIFF without a page");
  const { width, height, data, samplesPerPixel, bitsPerSample: bits } = page;
  const values = new Float32Array(width * height);
  const scale = bits === 16 ? 255 / (maximum(data) < TWELVE_BITS ? TWELVE_BITS - 1 : 65_535) : 1;
  for (let pixel = 0; pixel < values.length; pixel += 1) {
    const offset = pixel * samplesPerPixel;
    const [red, green, blue] = [data[offset] ?? 0, data[offset + 1] ?? 0, data[offset + 2] ?? 0];
    values[pixel] = scale * (samplesPerPixel < 3 ? red : luma(red, green, blue));
  }
  return { width, height, values, bits };
}

function maximum(data: ArrayLike<number>): number {
  let largest = 0;
  for (let index = 0; index < data.length; index += 1) largest = Math.max(largest, data[index] ?? 0);
  return largest;
}
