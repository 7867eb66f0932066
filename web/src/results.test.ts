import { expect, test } from "vitest";
import type { Analysis } from "./api.ts";
import { Translator } from "./i18n/translator.ts";
import { lesionCountOf, scaleText } from "./results.ts";

const english = new Translator("en");
const whole = { cropped: false, padded: false };

test("the reader is told where the scale comes from", () => {
  expect(scaleText(english, { ...whole, mm_per_pixel: 1.6, source: "file" })).toContain("1.60 mm per pixel; the file states");
  expect(scaleText(english, { ...whole, mm_per_pixel: 1.9, source: "estimated" })).toContain("about 1.90 mm per pixel, estimated");
  expect(scaleText(english, { ...whole, mm_per_pixel: null, source: "unknown" })).toContain("unknown scale");
});

test("a closer view of the detectors is named, and only where there is one", () => {
  const scale = { ...whole, mm_per_pixel: 1.6, source: "file" } as const;
  expect(scaleText(new Translator("de"), { ...scale, closest_mm_per_pixel: 1.33 })).toMatch(/näheren Ausschnitt mit 1,33 mm pro Pixel\.$/);
  for (const closest_mm_per_pixel of [null, 1.6]) {
    expect(scaleText(english, { ...scale, closest_mm_per_pixel })).not.toContain("closer");
  }
});

test("no lesion is reported only where the detectors looked for some", () => {
  const analysis = (outcome: string, detection: object) => ({ classification: { outcome }, detection }) as unknown as Analysis;
  expect(lesionCountOf(analysis("decided", { boxes: [] }))).toBe(0);
  expect(lesionCountOf(analysis("out_of_scope", { boxes: [{}] }))).toBe(1);
  expect(lesionCountOf(analysis("out_of_scope", { boxes: [] }))).toBeUndefined();
  expect(lesionCountOf(analysis("decided", { status: 503, type: "t", title: "t", detail: "d", request_id: "r" }))).toBeUndefined();
});
