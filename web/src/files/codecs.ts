/** Decoders for compressed DICOM and for TIFF. Loaded only when such a file is chosen. */
import daikon from "daikon";
import { decode } from "tiff";
import { luma } from "./picture.ts";
import { asStored, singlePageTiff } from "./tiffPages.ts";

/** Of 16 bits, those that may be in use: an image of fewer is shown in their range. */
const USED_MAXIMA = [255, 4095, 65_535];

/** Stored values of all frames, 16 bits, little endian, from RLE, JPEG or JPEG 2000. Throws if they cannot be decoded. */
export function decompressDicom(bytes: Uint8Array<ArrayBuffer>): DataView {
  const image = daikon.Series.parseImage(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  if (image === null) throw new Error("not a DICOM file");
  image.decompress();
  return new DataView(image.getRawData());
}

const WHITE_IS_ZERO = 0;

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
  const { width, height, data, samplesPerPixel, bitsPerSample: bits, type } = page;
  if (page.palette !== undefined || page.sampleFormat !== 1) throw new Error("left to the services");
  const [full, hasAlpha] = [2 ** bits - 1, samplesPerPixel === 2 || samplesPerPixel === 4];
  // The decoder has inverted all samples over all bits; the services invert grey over those in use.
  const whiteIsZero = type === WHITE_IS_ZERO;
  const stored = whiteIsZero ? data.map((value) => full - value) : data;
  const used = bits === 16 && samplesPerPixel === 1 ? usedMaximum(maximum(stored)) : full;
  const shown = (value: number) => (whiteIsZero ? used - value : value);
  const white = bits === 16 && samplesPerPixel === 1 && whiteIsZero ? usedMaximum(used - minimum(stored)) : used;
  const values = new Float32Array(width * height);
  for (let pixel = 0; pixel < values.length; pixel += 1) {
    const offset = pixel * samplesPerPixel;
    const [red, green, blue] = [stored[offset] ?? 0, stored[offset + 1] ?? 0, stored[offset + 2] ?? 0];
    const opacity = hasAlpha ? (stored[offset + samplesPerPixel - 1] ?? 0) / full : 1;
    values[pixel] = (opacity * 255 * (samplesPerPixel < 3 ? shown(red) : luma(red, green, blue))) / white;
  }
  return { width, height, values, bits };
}

function usedMaximum(largest: number): number {
  return USED_MAXIMA.find((maximum) => largest <= maximum) ?? 65_535;
}

function minimum(data: ArrayLike<number>): number {
  let smallest = Infinity;
  for (let index = 0; index < data.length; index += 1) smallest = Math.min(smallest, data[index] ?? 0);
  return smallest;
}

function maximum(data: ArrayLike<number>): number {
  let largest = 0;
  for (let index = 0; index < data.length; index += 1) largest = Math.max(largest, data[index] ?? 0);
  return largest;
}
