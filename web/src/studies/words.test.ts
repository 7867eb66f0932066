import { expect, test } from "vitest";
import type { Study, StudyResult } from "../api.ts";
import { Translator } from "../i18n/translator.ts";
import { attentionReason, findingSentence, studyLine } from "./words.ts";

function study(outcome: string, label: string | null, lesions: number): Study {
  return { status: "finished", summary: { outcome, label, lesions } } as unknown as Study;
}

test("a study that is undecided or contradicts itself has a reason to be looked at first", () => {
  expect(attentionReason(study("indeterminate", null, 0))).toBe("flagUndecided");
  expect(attentionReason(study("type_undecided", null, 2))).toBe("flagUndecided");
  expect(attentionReason(study("decided", "no_tumour", 1))).toBe("flagContradiction");
  expect(attentionReason(study("decided", "metastasis", 0))).toBe("flagContradiction");
  expect(attentionReason(study("decided", "metastasis", 1))).toBeUndefined();
  expect(attentionReason(study("decided", "no_tumour", 0))).toBeUndefined();
  expect(attentionReason(study("out_of_scope", null, 0))).toBeUndefined();
});

test("the line of a study says what its number is the probability of", () => {
  const line = (outcome: string, label: string | null, probability: number, lesions: number) =>
    studyLine(new Translator("en"), { status: "finished", summary: { outcome, label, probability, lesions, largest_mm: lesions ? 24.74 : null } } as unknown as Study);
  expect(line("indeterminate", null, 0.394, 0)).toBe("Indeterminate, probability of a tumour 0.39");
  expect(line("type_undecided", null, 0.93, 1)).toBe("1 lesion, largest 24.7 mm; Tumour, type undecided, probability of a tumour 0.93");
  expect(line("decided", "metastasis", 0.81, 2)).toBe("2 lesions, largest 24.7 mm; Metastasis 0.81");
});

test("the finding is one sentence that names the largest lesion, corrections, and the notice", () => {
  const lesion = (id: string, length_mm: number) => ({
    id, label: "metastasis", lobe: "right", long_axis: { length_mm }, short_axis: { length_mm: 7 }, key_slice: 16,
  });
  const result = {
    outcome: "decided", label: "metastasis", tumour_probability: 0.96, type_probabilities: { metastasis: 0.81 },
    lesions: [lesion("L1", 9), lesion("L2", 24.74)],
  } as unknown as StudyResult;
  const sentence = findingSentence(new Translator("en"), result);
  expect(sentence).toMatch(/^2 liver lesions, the largest L2, Metastasis, right lobe, 24\.7 × 7\.0 mm in slice 17; /);
  expect(sentence).toMatch(/probability of a tumour 0\.96 \(Hepar: Research software, not a medical device\. .*\)\.$/);
  const read = { ...result, reading: { summary: { lesions: 1 } } } as StudyResult;
  expect(findingSentence(new Translator("de"), read)).toContain("; 1 Läsion nach Korrektur durch Befundende (Hepar: ");
});
