import { expect, test } from "vitest";
import { exifOf, withoutExif } from "./exif.ts";
import { statedTurn } from "./exifOrientation.ts";

const bytesOf = (...parts: (string | number[])[]) =>
  Uint8Array.from(parts.flatMap((part) => (typeof part === "string" ? [...part].map((letter) => letter.charCodeAt(0)) : part)));

const JPEG_HEAD = [0xff, 0xd8, 0xff, 0xe0, 0, 8];
const JPEG_TAIL = [0xff, 0xda, 0, 2, 0xff, 0xe1, 0, 8];

test("a JPEG loses its EXIF segment, and nothing in its image data", () => {
  const exif = bytesOf(JPEG_HEAD, "JFIF\0\0", [0xff, 0xe1, 0, 10], "Exif\0\0II", JPEG_TAIL, "Exif\0\0");
  expect(withoutExif("JPEG", exif)).toEqual(bytesOf(JPEG_HEAD, "JFIF\0\0", JPEG_TAIL, "Exif\0\0"));
});

test("a PNG loses its EXIF chunk", () => {
  const chunk = (name: string, data: string) => bytesOf([0, 0, 0, data.length], name, data, [1, 2, 3, 4]);
  const [header, exif, end] = [chunk("IHDR", "abc"), chunk("eXIf", "MM"), chunk("IEND", "")];
  const whole = bytesOf("\x89PNG\r\n\x1a\n", [...header], [...exif], [...end]);
  expect(withoutExif("PNG", whole)).toEqual(bytesOf("\x89PNG\r\n\x1a\n", [...header], [...end]));
});

test("the EXIF chunk of a WebP is renamed in a copy", () => {
  const webp = (name: string) => bytesOf("RIFF", [0, 0, 0, 0], "WEBP", "VP8L", [1, 0, 0, 0, 7, 0], name, [2, 0, 0, 0], "II");
  const whole = webp("EXIF");
  expect(withoutExif("WEBP", whole)).toEqual(webp("XXXX"));
  expect(whole).toEqual(webp("EXIF"));
});

test("damaged and other files are left as they are", () => {
  const damaged = bytesOf([0xff, 0xd8, 0xff, 0xe1, 0, 200], "Exif");
  expect(withoutExif("JPEG", damaged)).toEqual(damaged);
  expect(withoutExif("BMP", damaged)).toBe(damaged);
});

const TIFF_OF_ORIENTATION = (value: number) => bytesOf("MM\0*", [0, 0, 0, 8, 0, 1, 0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, value, 0, 0]);

test("the orientation is found in each format", () => {
  const data = [...TIFF_OF_ORIENTATION(6)];
  const turn = { transposed: true, flippedX: true, flippedY: false };
  const jpeg = bytesOf(JPEG_HEAD, "JFIF\0\0", [0xff, 0xe1, 0, 8 + data.length], "Exif\0\0", data, JPEG_TAIL);
  const png = bytesOf("\x89PNG\r\n\x1a\n", [0, 0, 0, data.length], "eXIf", data, [1, 2, 3, 4]);
  const webp = (prefix: string) =>
    bytesOf("RIFF", [0, 0, 0, 0], "WEBP", "EXIF", [data.length + prefix.length, 0, 0, 0], prefix, data);
  for (const [kind, bytes] of [["JPEG", jpeg], ["PNG", png], ["WEBP", webp("")], ["WEBP", webp("Exif\0\0")]] as const) {
    expect(statedTurn(exifOf(kind, bytes) ?? bytesOf())).toEqual(turn);
  }
  expect(statedTurn(TIFF_OF_ORIENTATION(6))).toEqual(turn);
  expect(statedTurn(TIFF_OF_ORIENTATION(1))).toBeUndefined();
  expect(statedTurn(TIFF_OF_ORIENTATION(6).subarray(0, 15))).toBeUndefined();
  expect(exifOf("BMP", png)).toBeUndefined();
});
