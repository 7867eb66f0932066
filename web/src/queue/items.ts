/** What the queue holds: one item per image, or per frame of a multi-frame file. */
import type { Analysis } from "../api.ts";
import { FRAMES_MAX, type Inspection } from "../files/picture.ts";

export type ItemState = "waiting" | "sending" | "working" | "done" | "failed" | "cancelled" | "excluded";

export interface NamedFile {
  /** With the folders it was chosen from. */
  name: string;
  file: File;
}

/** One frame of a multi-frame file. The frames of a file share a series. */
export interface Frame {
  seriesId: string;
  /** From 0. */
  index: number;
  count: number;
}

export interface QueueItem extends NamedFile {
  id: string;
  state: ItemState;
  /** Of the upload, 0 to 1. */
  progress: number;
  /** undefined until the file has been read. */
  inspection?: Inspection;
  frame?: Frame;
  analysis?: Analysis;
  error?: unknown;
}

export function countOf(items: readonly QueueItem[], state: ItemState): number {
  return items.filter((item) => item.state === state).length;
}

const FINISHED = new Set<ItemState>(["done", "failed", "cancelled"]);

export function isFinished(item: QueueItem): boolean {
  return FINISHED.has(item.state);
}

export function isInFlight(item: QueueItem): boolean {
  return item.state === "sending" || item.state === "working";
}

/** Can be sent. A file that has not been read yet counts: its content may still turn out to be refused. */
export function isReady(item: QueueItem): boolean {
  return item.state === "waiting" && item.inspection?.refusal === undefined;
}

export function newItem({ name, file }: NamedFile): QueueItem {
  return { id: crypto.randomUUID(), name, file, state: "waiting", progress: 0 };
}

/** The item with what its content showed; a multi-frame file becomes one item per frame. */
export function inspectedItems(item: QueueItem, inspection: Inspection): QueueItem[] {
  const count = inspection.frames;
  if (count > FRAMES_MAX) {
    const refusal = { key: "tooManyFrames", values: { count, maximum: FRAMES_MAX } } as const;
    return [{ ...item, inspection: { ...inspection, refusal } }];
  }
  if (inspection.refusal !== undefined || count <= 1) return [{ ...item, inspection }];
  // Only the first frame keeps its picture: a picture takes four bytes per pixel. The others are read when shown.
  const { picture: _, ...withoutPicture } = inspection;
  return Array.from({ length: count }, (_frame, index) => ({
    ...item,
    id: index === 0 ? item.id : crypto.randomUUID(),
    inspection: index === 0 ? inspection : withoutPicture,
    frame: { seriesId: item.id, index, count },
  }));
}
