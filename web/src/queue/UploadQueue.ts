/** The images of this tab and their results. At most MAX_CONCURRENT_UPLOADS are in flight. */
import { useSyncExternalStore } from "react";
import type { TokenSource } from "../api.ts";
import { inspectFile } from "../files/inspection.ts";
import { inspectedItems, isFinished, isReady, newItem, type NamedFile, type QueueItem } from "./items.ts";
import { parseResponse, upload, uploadRequest, type UploadRequest, type UploadResponse } from "./upload.ts";

const MAX_CONCURRENT_UPLOADS = 2;
const RETRIES_MAX = 3;
const RETRY_AFTER_MAX_S = 60;

export class UploadQueue {
  private items: readonly QueueItem[] = [];
  private readonly listeners = new Set<() => void>();
  private readonly inFlight = new Map<string, AbortController>();
  // Items that the user has asked to analyse.
  private readonly scheduled = new Set<string>();
  private paused = false;
  private clearCount = 0;

  constructor(private readonly tokens: TokenSource) {}

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };
  readonly snapshot = (): readonly QueueItem[] => this.items;

  find(id: string): QueueItem | undefined {
    return this.items.find((item) => item.id === id);
  }

  /** Adds files that are still being listed, unless the queue is cleared in the meantime. */
  async addListed(listing: Promise<Iterable<NamedFile>>): Promise<void> {
    const { clearCount } = this;
    const files = await listing;
    if (clearCount === this.clearCount) this.add(files);
  }

  add(files: Iterable<NamedFile>): void {
    const added = [...files].map(newItem);
    this.replaceAll([...this.items, ...added]);
    for (const item of added) void this.inspect(item);
  }

  /** Analyses everything that is waiting. */
  start(): void {
    for (const item of this.items.filter(isReady)) this.scheduled.add(item.id);
    this.sendNext();
  }

  cancel(id: string): void {
    this.abort(id);
    const item = this.find(id);
    if (item !== undefined && !isFinished(item)) this.update(id, { state: "cancelled" });
    this.sendNext();
  }

  retry(id: string): void {
    const item = this.find(id);
    if (item === undefined) return;
    const { error: _, ...rest } = item;
    this.replaceAll(this.items.map((known) => (known.id === id ? { ...rest, state: "waiting", progress: 0 } : known)));
    this.scheduled.add(id);
    this.sendNext();
  }

  remove(...ids: readonly string[]): void {
    for (const id of ids) this.abort(id);
    this.replaceAll(this.items.filter((item) => !ids.includes(item.id)));
    this.sendNext();
  }

  /** Stops every upload and forgets all files and results. */
  clear(): void {
    this.clearCount += 1;
    for (const id of this.inFlight.keys()) this.abort(id);
    this.scheduled.clear();
    this.replaceAll([]);
  }

  /** first, last: from 0, inclusive. Frames outside are not sent. */
  selectFrames(seriesId: string, first: number, last: number): void {
    this.replaceAll(
      this.items.map((item) => {
        if (item.frame?.seriesId !== seriesId || (item.state !== "waiting" && item.state !== "excluded")) return item;
        const selected = first <= item.frame.index && item.frame.index <= last;
        return { ...item, state: selected ? "waiting" : "excluded" };
      }),
    );
  }

  /** Starts no further upload until resume(). */
  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
    this.sendNext();
  }

  private async inspect(item: QueueItem): Promise<void> {
    const inspection = await inspectFile(item.file);
    const inspected = inspectedItems(item, inspection);
    // The user may have removed or started the item in the meantime.
    this.replaceAll(
      this.items.flatMap((known) => (known.id === item.id ? inspected.map((one) => ({ ...one, state: known.state })) : [known])),
    );
    if (this.scheduled.has(item.id)) for (const { id } of inspected) this.scheduled.add(id);
    this.sendNext();
  }

  private sendNext(): void {
    if (this.paused) return;
    const next = this.items.filter((item) => this.scheduled.has(item.id) && item.inspection !== undefined && isReady(item));
    for (const item of next.slice(0, Math.max(0, MAX_CONCURRENT_UPLOADS - this.inFlight.size))) void this.send(item);
  }

  private async send(item: QueueItem): Promise<void> {
    const controller = new AbortController();
    this.inFlight.set(item.id, controller);
    this.update(item.id, { state: "sending", progress: 0 });
    const result = await this.request(item, controller.signal);
    if (controller.signal.aborted) return;
    this.inFlight.delete(item.id);
    if (result.state !== "waiting") this.scheduled.delete(item.id);
    this.update(item.id, result);
    this.sendNext();
  }

  private async request(item: QueueItem, signal: AbortSignal): Promise<Partial<QueueItem>> {
    // The queue was paused because the session ended or another user signs in. resume() sends the item, clear() drops it.
    const postponed = { state: "waiting", progress: 0 } as const;
    try {
      const request = await uploadRequest(item);
      let response = await this.attempt(item.id, request, signal);
      if (response?.status === 401 && !signal.aborted) {
        const token = await this.tokens.renew?.();
        if (token !== undefined || this.paused) response = await this.attempt(item.id, request, signal);
      }
      return response === undefined ? postponed : parseResponse(response);
    } catch (error) {
      return { state: "failed", error };
    }
  }

  /** One upload, repeated if the gateway asks to try again later. Undefined if the queue is paused. */
  private async attempt(id: string, request: UploadRequest, signal: AbortSignal): Promise<UploadResponse | undefined> {
    const observer = {
      onProgress: (progress: number) => this.update(id, { progress }),
      onSent: () => this.update(id, { state: "working", progress: 1 }),
    };
    for (let retries = 0; ; retries += 1) {
      // Checked before each upload: the token may belong to another user by now.
      if (this.paused) return undefined;
      const response = await upload(request, this.tokens.current(), signal, observer);
      const { status, retryAfter_s } = response;
      const repeatable = (status === 429 || status === 503) && retryAfter_s !== undefined && retries < RETRIES_MAX;
      if (!repeatable || signal.aborted) return response;
      await delay(Math.min(retryAfter_s, RETRY_AFTER_MAX_S) * 1000, signal);
      if (signal.aborted) return response;
      this.update(id, { state: "sending", progress: 0 });
    }
  }

  private abort(id: string): void {
    this.scheduled.delete(id);
    this.inFlight.get(id)?.abort();
    this.inFlight.delete(id);
  }

  private update(id: string, changes: Partial<QueueItem>): void {
    this.replaceAll(this.items.map((item) => (item.id === id ? { ...item, ...changes } : item)));
  }

  private replaceAll(items: readonly QueueItem[]): void {
    this.items = items;
    for (const listener of this.listeners) listener();
  }
}

function delay(duration_ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, duration_ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

export function useQueueItems(queue: UploadQueue): readonly QueueItem[] {
  return useSyncExternalStore(queue.subscribe, queue.snapshot);
}
