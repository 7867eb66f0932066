/** German texts of the gateway's messages that have no codes. tests/web/test_german_texts.py compares them with the code. */
import { REFUSALS } from "./deRefusals.ts";
import { REQUESTS } from "./deRequests.ts";
import { WARNINGS } from "./deWarnings.ts";

/** An English message, and its German text. $1 is the first number or term of the message. */
export type Pattern = readonly [RegExp, string];

const PATTERNS: readonly Pattern[] = [...WARNINGS, ...REFUSALS, ...REQUESTS];
const TERMS: Record<string, string> = {
  unknown: "unbekannt",
  coronal: "koronal",
  oblique: "schräg",
  compressed: "komprimiert",
  uncompressed: "unkomprimiert",
  "in fragments": "in Fragmenten",
  "not in fragments": "nicht in Fragmenten",
  "lossless JPEG": "verlustfreien JPEG",
  classification: "Die Klassifikation",
  detection: "Die Detektion",
};

/** undefined for a message that is not known here. */
export function germanText(message: string): string | undefined {
  for (const [pattern, german] of PATTERNS) {
    const match = pattern.exec(message);
    if (match) return german.replace(/\$(\d)/g, (_, group: string) => germanTerm(match[Number(group)] ?? ""));
  }
  return undefined;
}

/** Numbers get a decimal comma; a term that is the same in both languages stays. */
function germanTerm(term: string): string {
  return Object.hasOwn(TERMS, term) ? (TERMS[term] as string) : term.replace(/^(-?\d+)\.(\d+)$/, "$1,$2");
}
