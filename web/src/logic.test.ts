import { expect, test } from "vitest";
import { filled, firstLanguage, probable } from "./i18n.tsx";
import { de } from "./messages/de.ts";
import { en } from "./messages/en.ts";
import { kindOf } from "./pictures.ts";
import { asCsv, outcome, type Entry } from "./queue.ts";
import { HeparProblem } from "./session.tsx";
import { fitted, greys, measured, toImage, zoomed } from "./viewer/geometry.ts";

test("an image is fitted whole and centred", () => {
  expect(fitted(200, 100, { width: 400, height: 400 })).toEqual({ zoom: 2, left: 0, top: 100 });
});

test("the point under the pointer stays where it is when zoomed", () => {
  const view = fitted(512, 512, { width: 700, height: 500 });
  const at = { x: 123, y: 45 };
  const before = toImage(view, at);
  const after = toImage(zoomed(view, 1.7, at), at);
  expect(after.x).toBeCloseTo(before.x);
  expect(after.y).toBeCloseTo(before.y);
});

test("zoom has ends", () => {
  let view = fitted(10, 10, { width: 100, height: 100 });
  for (let times = 0; times < 50; times += 1) view = zoomed(view, 2, { x: 0, y: 0 });
  expect(view.zoom).toBe(40);
  for (let times = 0; times < 50; times += 1) view = zoomed(view, 0.5, { x: 0, y: 0 });
  expect(view.zoom).toBe(0.05);
});

test("a ruler measures in millimetres where the spacing is known, row and column apart", () => {
  expect(measured({ x: 0, y: 0 }, { x: 3, y: 4 })).toBe("5.0 px");
  expect(measured({ x: 0, y: 0 }, { x: 3, y: 4 }, { row: 2, column: 1 })).toBe("8.5 mm");
});

test("a window shows its ends black and white, and inverted the other way", () => {
  const packed = new Uint32Array(3);
  const out = new Uint8ClampedArray(packed.buffer);
  greys(Float32Array.of(0, 125, 250), { width: 250, centre: 125 }, false, packed);
  expect([out[0], out[4], out[8], out[3]]).toEqual([0, 128, 255, 255]);
  expect([out[4], out[5], out[6]]).toEqual([128, 128, 128]);
  greys(Float32Array.of(-1000, 125, 9000), { width: 250, centre: 125 }, true, packed);
  expect([out[0], out[4], out[8]]).toEqual([255, 127, 0]);
});

test("a file is what its bytes say", () => {
  const of = (text: string, at = 0) => {
    const bytes = new Uint8Array(140);
    bytes.set([...text].map((letter) => letter.charCodeAt(0)), at);
    return kindOf(bytes);
  };
  expect(of("\x89PNG")).toBe("PNG");
  expect(of("\xff\xd8\xff")).toBe("JPEG");
  expect(of("II*\0")).toBe("TIFF");
  expect(of("MM\0*")).toBe("TIFF");
  expect(of("BM")).toBe("BMP");
  expect(of("RIFF....WEBP")).toBe("WEBP");
  expect(of("DICM", 128)).toBe("DICOM");
  expect(of("GIF89a")).toBeUndefined();
});

test("both languages have the same placeholders in every message", () => {
  const places = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map((match) => match[1]).toSorted();
  for (const word of Object.keys(en) as (keyof typeof en)[]) expect(places(de[word]), word).toEqual(places(en[word]));
});

test("a placeholder without a value is seen, not hidden", () => {
  expect(filled("{count} of {all}", { count: 2 })).toBe("2 of {all}");
});

test("the reader's language is the one chosen, else the browser's, else English", () => {
  expect(firstLanguage("de", ["en-GB"])).toBe("de");
  expect(firstLanguage(null, ["fr-FR", "de-AT"])).toBe("de");
  expect(firstLanguage("xx", ["fr"])).toBe("en");
});

const problem = { type: "/problems/too-large", title: "t", status: 413, detail: "d", request_id: "r" };

test("an answer is kept, a problem is told, and silence is an error", () => {
  expect(outcome(200, '{"request_id":"r"}').state).toBe("done");
  const refused = outcome(413, JSON.stringify(problem));
  expect(refused.state).toBe("failed");
  expect(refused.error).toBeInstanceOf(HeparProblem);
  expect(outcome(0, "").state).toBe("failed");
  expect(outcome(502, "<html>").error).not.toBeInstanceOf(HeparProblem);
});

test("a table is quoted, and no file name becomes a formula", () => {
  const entry = (name: string): Entry => ({ id: "1", file: { name } as File, state: "failed", percent: 0 });
  const [, comma, formula] = asCsv([entry('a,"b".png'), entry("=1+1.png")]).split("\r\n");
  expect(comma).toBe('"a,""b"".png",failed,,,,,,,');
  expect(formula).toBe("'=1+1.png,failed,,,,,,,");
});

test("no probability is shown as certain", () => {
  expect([1, 0.9949, 0.994, 0.5, 0.005, 0.001, 0].map(probable)).toEqual([
    "> 0.99",
    "> 0.99",
    "0.99",
    "0.50",
    "0.01",
    "< 0.01",
    "< 0.01",
  ]);
});
