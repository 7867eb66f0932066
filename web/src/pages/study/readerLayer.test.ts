import { expect, test } from "vitest";
import type { Finding } from "../../api.ts";
import { Translator } from "../../i18n/translator.ts";
import type { OverlayBox } from "../../viewer/drawing.ts";
import { judgedBox, outlineBoxes } from "./readerLayer.ts";

const translator = new Translator("en");
const box: OverlayBox = { x_min: 1, y_min: 2, x_max: 3, y_max: 4, label: "metastasis", caption: "L1 0.91", description: "the models' answer" };
const triangle: [number, number][] = [[5, 5], [9, 5], [9, 8]];

function finding(changes: Partial<Finding>): Finding {
  return { id: "L1", status: "accepted", changed: [], label: "metastasis", outlines: [], ...changes } as Finding;
}

test("a box stays where it is, and says that it was rejected or retyped", () => {
  expect(judgedBox(translator, box, undefined)).toBe(box);
  expect(judgedBox(translator, box, finding({}))).toBe(box);
  expect(judgedBox(translator, box, finding({ status: "rejected" }))).toMatchObject({ x_min: 1, y_max: 4, caption: "L1 rejected" });
  const retyped = judgedBox(translator, box, finding({ changed: ["label"], label: "cyst" }));
  expect(retyped).toMatchObject({ caption: "L1 Cyst", description: "the models' answer L1 Cyst" });
});

test("outlines are closed, and drawn in their slice only", () => {
  const outlines = [{ slice: 7, polygon: triangle }, { slice: 8, polygon: [] }];
  const shown = [finding({ outlines }), finding({ id: "L2", status: "rejected", outlines })];
  expect(outlineBoxes(translator, shown, 8)).toEqual([]);
  expect(outlineBoxes(translator, shown, 7)).toMatchObject([
    { x_min: 5, y_min: 5, x_max: 9, y_max: 8, caption: "L1", outline: [[[...triangle, [5, 5]]]] },
  ]);
});
