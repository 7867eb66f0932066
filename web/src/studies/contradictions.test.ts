import { expect, test } from "vitest";
import type { Lesion, StudyResult } from "../api.ts";
import { Translator } from "../i18n/translator.ts";
import { contradictions, likelihood } from "./contradictions.ts";

const translator = new Translator("en");
const DETECTORS = ["detect_one", "detect_two", "detect_three"];
const models = [...DETECTORS, "segment_one"].map((model) => ({ model, version: "1" }));

function lesion(changes: Partial<Lesion>): Lesion {
  return { id: "L1", label: "metastasis", agreement: 3, detectors: DETECTORS, liver_share: 1, ...changes } as Lesion;
}

function texts(changes: Partial<StudyResult>): string[] {
  const result = { tumour: true, label: "metastasis", lesions: [lesion({})], models, ...changes } as StudyResult;
  return contradictions(result, translator).map(({ key, values }) => translator.text(key, values));
}

test("models that agree contradict nothing", () => {
  expect(texts({})).toEqual([]);
});

test("a vote against what detectors found comes first", () => {
  const lesions = [lesion({ agreement: 1, detectors: ["detect_one"] }), lesion({ id: "L2", agreement: 2, detectors: ["detect_one", "detect_two"] })];
  expect(texts({ tumour: false, label: "no_tumour", lesions })).toEqual([
    "The vote says no tumour, 2 detectors disagree.",
    "Only 1 of 3 detectors found L1.",
  ]);
});

test("a tumour without a place, another type, and a lesion outside the liver are named", () => {
  expect(texts({ lesions: [] })).toEqual(["The vote says tumour, but no lesion was located."]);
  expect(texts({ lesions: [lesion({ label: "cholangiocarcinoma", liver_share: 0.2 })] })).toEqual([
    "L1 looks like Cholangiocarcinoma, the study like Metastasis.",
    "L1 lies mostly outside the liver.",
  ]);
  expect(texts({ label: null, lesions: [lesion({ label: null })] })).toEqual([]);
});

test("probabilities have words", () => {
  expect([0.95, 0.9, 0.7, 0.5, 0.39].map(likelihood)).toEqual(
    ["very_likely", "very_likely", "likely", "uncertain", "unlikely"].map((word) => `likelihood_${word}`),
  );
});
