import { expect, test } from "vitest";
import type { Study } from "../api.ts";
import { attentionReason } from "./words.ts";

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
