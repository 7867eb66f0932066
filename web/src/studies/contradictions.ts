/** Where the models' answers about a study do not agree: readers look there first. */
import type { StudyResult } from "../api.ts";
import type { MessageKey } from "../i18n/en.ts";
import type { Translator, Values } from "../i18n/translator.ts";

export interface Contradiction {
  key: MessageKey;
  values: Values;
  /** Of the lesion that it is about. */
  id?: string;
}

const DETECTOR = "detect_";
const INSIDE_MIN = 0.5;

/** The whole study first, then its lesions, largest first. */
export function contradictions({ tumour, label, lesions, models }: StudyResult, translator: Translator): Contradiction[] {
  const detectors = models.filter(({ model }) => model.startsWith(DETECTOR)).length;
  const found: Contradiction[] = [];
  if (tumour === false && lesions.length > 0) {
    found.push({ key: "voteAgainstDetectors", values: { count: new Set(lesions.flatMap((lesion) => lesion.detectors)).size } });
  }
  if (tumour === true && lesions.length === 0) found.push({ key: "voteWithoutLesion", values: {} });
  for (const { id, label: type, agreement, liver_share } of lesions) {
    if (type !== null && label !== null && label !== "no_tumour" && type !== label) {
      found.push({ key: "lesionOfOtherType", values: { id, type: translator.term(type), study: translator.term(label) }, id });
    }
    if (agreement > 0 && agreement * 2 < detectors) found.push({ key: "fewDetectors", values: { count: agreement, detectors, id }, id });
    if (liver_share !== null && liver_share < INSIDE_MIN) found.push({ key: "outsideLiver", values: { id }, id });
  }
  return found;
}

/** A probability in words, as a key of terms. */
export function likelihood(probability: number): string {
  if (probability >= 0.9) return "likelihood_very_likely";
  if (probability >= 0.7) return "likelihood_likely";
  return probability >= 0.4 ? "likelihood_uncertain" : "likelihood_unlikely";
}
