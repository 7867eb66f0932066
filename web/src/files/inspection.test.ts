import { expect, test } from "vitest";
import { kindOf } from "./inspection.ts";
import { pageOffsets, singlePageTiff } from "./tiffPages.ts";

test("the content decides what a file is", () => {
  const kind = (text: string, at = 0) => {
    const bytes = new Uint8Array(140);
    bytes.set([...text].map((letter) => letter.charCodeAt(0)), at);
    return kindOf(bytes);
  };
  expect(kind("\x89PNG")).toBe("PNG");
  expect(kind("\xff\xd8\xff")).toBe("JPEG");
  expect(kind("II*\0")).toBe("TIFF");
  expect(kind("MM\0*")).toBe("TIFF");
  expect(kind("II+\0")).toBe("TIFF");
  expect(kind("BM")).toBe("BMP");
  expect(kind("RIFF....WEBP")).toBe("WEBP");
  expect(kind("DICM", 128)).toBe("DICOM");
  expect(kind("GIF89a")).toBeUndefined();
});

/** Two directories without entries: at 8 and at 14. */
function twoPages(littleEndian: boolean): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(20);
  const view = new DataView(bytes.buffer);
  bytes.set(littleEndian ? [0x49, 0x49, 42, 0] : [0x4d, 0x4d, 0, 42]);
  view.setUint32(4, 8, littleEndian);
  view.setUint32(10, 14, littleEndian);
  return bytes;
}

test.each([true, false])("a page of a TIFF becomes a file of its own (little endian: %s)", (littleEndian) => {
  const bytes = twoPages(littleEndian);
  expect(pageOffsets(bytes)).toEqual([8, 14]);
  expect(pageOffsets(singlePageTiff(bytes, 0))).toEqual([8]);
  expect(pageOffsets(singlePageTiff(bytes, 1))).toEqual([14]);
  expect(() => singlePageTiff(bytes, 2)).toThrow(RangeError);
  expect(pageOffsets(bytes)).toEqual([8, 14]);
});

test("a TIFF whose pages form a loop, or end outside of the file, does not hang", () => {
  const loop = twoPages(true);
  new DataView(loop.buffer).setUint32(16, 8, true);
  expect(pageOffsets(loop)).toEqual([8, 14]);
  const outside = twoPages(true);
  new DataView(outside.buffer).setUint32(16, 5_000, true);
  expect(pageOffsets(outside)).toEqual([8, 14]);
  expect(pageOffsets(new Uint8Array(3))).toEqual([]);
});
