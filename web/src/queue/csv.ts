/** The list as CSV (RFC 4180), for programs: the same columns and number format in every language. */
import { classificationOf, detectionOf } from "../results.ts";
import type { QueueItem } from "./items.ts";

const HEADER = ["file", "frame", "state", "outcome", "label", "probability", "agreeing_models", "voting_models", "boxes", "best_score"];

/** frame: from 1; empty for a file with a single image. */
export function toCsv(items: readonly QueueItem[]): string {
  return [HEADER, ...items.map(rowOf)].map((row) => row.map(quoted).join(",")).join("\r\n") + "\r\n";
}

function rowOf({ name, frame, state, analysis }: QueueItem): unknown[] {
  const classification = classificationOf(analysis);
  const boxes = detectionOf(analysis)?.boxes;
  return [
    name,
    frame && frame.index + 1,
    state,
    classification?.outcome,
    classification?.label,
    classification?.probability,
    classification?.agreeing_models,
    classification?.voting_models,
    boxes?.length,
    boxes?.[0]?.score,
  ];
}

/** A leading apostrophe keeps spreadsheets from evaluating a file name as a formula. */
function quoted(value: unknown): string {
  const text = String(value ?? "");
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
