/** German texts of the gateway's messages that have no codes. tests/web/test_german_texts.py compares them with the code. */
import { PHRASES } from "./dePhrases.ts";
import { REFUSALS } from "./deRefusals.ts";
import { REQUESTS } from "./deRequests.ts";
import { SENDS } from "./deSends.ts";
import { STUDIES } from "./deStudies.ts";
import { WARNINGS } from "./deWarnings.ts";

/** An English message, and its German text. $1 is the first number or term of the message. */
export type Pattern = readonly [RegExp, string];

const PATTERNS: readonly Pattern[] = [...WARNINGS, ...REFUSALS, ...REQUESTS, ...STUDIES, ...SENDS, ...PHRASES];
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
  studies: "Die Studienverwaltung",
  "sign-in": "Die Anmeldung",
  sagittal: "sagittal",
  queued: "wartet",
  running: "läuft",
  finished: "fertig",
  failed: "fehlgeschlagen",
  cancelled: "abgebrochen",
  waiting: "wartet",
  sent: "gesendet",
};
const SEPARATOR = /(; |, )/;
/** Separators and names of files are the same in both languages. */
const SAME = /^(; |, |\S+\.dcm)$/;

/** undefined for a message that is not known here. */
export function germanText(message: string): string | undefined {
  for (const [pattern, german] of PATTERNS) {
    const match = pattern.exec(message);
    if (match) return german.replace(/\$(\d)/g, (_, group: string) => germanTerm(match[Number(group)] ?? ""));
  }
  return germanPhrases(message);
}

/** Of phrases that are joined, each of them known. */
function germanPhrases(message: string): string | undefined {
  const parts = message.split(SEPARATOR);
  if (parts.length === 1) return undefined;
  const translated = parts.map((part) => (SAME.test(part) ? part : germanText(part)));
  return translated.includes(undefined) ? undefined : translated.join("");
}

/** Numbers get a decimal comma; a message within a message is translated; what is the same in both languages stays. */
function germanTerm(term: string): string {
  if (Object.hasOwn(TERMS, term)) return TERMS[term] as string;
  return germanText(term) ?? term.replace(/^(-?\d+)\.(\d+)$/, "$1,$2");
}
