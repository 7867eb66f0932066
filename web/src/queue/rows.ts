/** The rows of the upload list: single images, and multi-frame files as one row each. */
import type { Translator } from "../i18n/translator.ts";
import { classificationOf, decisionOf, lesionCountOf } from "../results.ts";
import type { QueueItem } from "./items.ts";

export const COLUMNS = ["file", "state", "result", "probability", "boxes"] as const;
export type Column = (typeof COLUMNS)[number];

export interface Sorting {
  column: Column;
  descending: boolean;
}

/** items: one, or all frames of a file in their order. */
export interface Row {
  id: string;
  items: readonly QueueItem[];
}

export interface ItemSummary {
  /** The decided class, `type_undecided`, `indeterminate` or `out_of_scope`. */
  decision: string | undefined;
  /** Of `probable`. */
  probability: number | undefined;
  /** The most probable label: not the decision where that is open. */
  probable: string | undefined;
  /** undefined also where nothing was looked for: out of scope. */
  boxes: number | undefined;
}

export function summaryOf(item: QueueItem): ItemSummary {
  const classification = classificationOf(item.analysis);
  return {
    decision: classification && decisionOf(classification),
    probability: classification?.probability ?? undefined,
    probable: classification?.most_probable_label ?? undefined,
    boxes: lesionCountOf(item.analysis),
  };
}

export function rowsOf(items: readonly QueueItem[]): Row[] {
  const groups = Map.groupBy(items, (item) => item.frame?.seriesId ?? item.id);
  return [...groups].map(([id, grouped]) => ({ id, items: grouped }));
}

/** How many frames have each decision, most frequent first. */
export function decisionCounts(items: readonly QueueItem[]): [decision: string, count: number][] {
  const decisions = items.map((item) => summaryOf(item).decision).filter((decision) => decision !== undefined);
  return [...Map.groupBy(decisions, (decision) => decision)]
    .map<[string, number]>(([decision, all]) => [decision, all.length])
    .toSorted((one, other) => other[1] - one[1]);
}

/** Rows whose name or result contains the text. */
export function filterRows(rows: readonly Row[], text: string, translator: Translator): Row[] {
  const wanted = text.toLowerCase();
  return rows.filter(({ items }) =>
    items.some((item) => `${item.name} ${translator.term(summaryOf(item).decision ?? "")}`.toLowerCase().includes(wanted)),
  );
}

export function sortRows(rows: readonly Row[], sorting: Sorting | undefined): Row[] {
  if (sorting === undefined) return [...rows];
  const direction = sorting.descending ? -1 : 1;
  return rows.toSorted((one, other) => direction * compare(sortKey(one, sorting.column), sortKey(other, sorting.column)));
}

/** A multi-frame file is sorted by its highest probability and by all of its boxes. */
function sortKey({ items }: Row, column: Column): string | number {
  if (column === "file") return items[0]?.name ?? "";
  if (column === "state") return items[0]?.state ?? "";
  if (column === "result") return decisionCounts(items)[0]?.[0] ?? "";
  const values = items.map((item) => summaryOf(item)[column] ?? -1);
  return column === "boxes" ? values.reduce((sum, value) => sum + value, 0) : Math.max(...values);
}

function compare(one: string | number, other: string | number): number {
  if (typeof one === "number" && typeof other === "number") return one - other;
  return String(one).localeCompare(String(other), undefined, { numeric: true });
}
