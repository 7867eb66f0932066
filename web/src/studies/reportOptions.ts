/** What the reader chose for a report, as the query of its page's address: it can be shared and reloaded. */
import type { StudyResult } from "../api.ts";
import type { Language } from "../i18n/translator.ts";

/** As many as the page of the report has room for. */
export const KEY_SLICES_MAX = 3;

export interface ReportOptions {
  language: Language;
  /** Empty: those of the result. */
  slices: readonly number[];
}

export function readOptions(query: URLSearchParams, fallback: Language, sliceCount: number): ReportOptions {
  const stated = query.get("language");
  const written = query.get("slices")?.split(",").filter((text) => /^\d{1,5}$/.test(text)) ?? [];
  const slices = [...new Set(written.map(Number))].filter((index) => index < sliceCount).slice(0, KEY_SLICES_MAX);
  return { language: stated === "en" || stated === "de" ? stated : fallback, slices };
}

export function writeOptions({ language, slices }: ReportOptions): Record<string, string> {
  return slices.length > 0 ? { language, slices: slices.join(",") } : { language };
}

/** As the API takes them. */
export function reportQuery(result: StudyResult, { language, slices }: ReportOptions) {
  const chosen = slices.length > 0 ? { key_slices: [...slices] } : {};
  return { version: result.version, language, ...chosen };
}

/** The slices that the report shows without a choice. */
export function ownKeySlices({ key_slices }: StudyResult): number[] {
  return key_slices.slice(0, KEY_SLICES_MAX).map(({ slice }) => slice);
}

/** What a choice begins with: each lesion's key slice, those of the result, and those chosen by number; in order. */
export function candidateSlices(result: StudyResult, chosen: readonly number[]): number[] {
  const all = [...result.key_slices.map(({ slice }) => slice), ...result.lesions.map(({ key_slice }) => key_slice), ...chosen];
  return [...new Set(all)].sort((one, other) => one - other);
}

/** With the slice, or without it where it is chosen. Unchanged where there is no room. */
export function toggled(chosen: readonly number[], index: number): readonly number[] {
  if (chosen.includes(index)) return chosen.filter((other) => other !== index);
  return chosen.length < KEY_SLICES_MAX ? [...chosen, index] : chosen;
}
