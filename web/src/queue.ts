/** Images and what became of them: in this tab only, two under way at a time. */
import { useSyncExternalStore } from "react";
import { look, type Looked } from "./pictures.ts";
import { HeparProblem, isProblem, type Analysis, type Tokens } from "./session.tsx";

export type State = "waiting" | "sending" | "working" | "done" | "failed" | "cancelled";

export interface Entry {
  id: string;
  file: File;
  looked?: Looked;
  state: State;
  /** 0 to 100 of the upload. */
  percent: number;
  analysis?: Analysis;
  error?: unknown;
}

const AT_ONCE = 2;
const OVER = new Set<State>(["done", "failed", "cancelled"]);

export class Queue {
  private entries: readonly Entry[] = [];
  private listeners = new Set<() => void>();
  private under = new Map<string, XMLHttpRequest>();
  private running = false;

  constructor(private readonly tokens: Pick<Tokens, "current" | "renew">) {}

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };
  readonly all = (): readonly Entry[] => this.entries;

  find(id: string): Entry | undefined {
    return this.entries.find((entry) => entry.id === id);
  }

  add(files: Iterable<File>): void {
    const fresh = [...files].map<Entry>((file) => ({ id: crypto.randomUUID(), file, state: "waiting", percent: 0 }));
    this.entries = [...this.entries, ...fresh];
    this.tell();
    for (const entry of fresh) void look(entry.file).then((looked) => this.change(entry.id, { looked }));
  }

  start(): void {
    this.running = true;
    this.next();
  }

  cancel(id: string): void {
    this.under.get(id)?.abort();
    const entry = this.find(id);
    if (entry !== undefined && !OVER.has(entry.state)) this.change(id, { state: "cancelled" });
    this.next();
  }

  retry(id: string): void {
    const entry = this.find(id);
    if (entry === undefined) return;
    const { error: _, ...rest } = entry;
    this.entries = this.entries.map((one) => (one.id === id ? { ...rest, state: "waiting", percent: 0 } : one));
    this.tell();
    this.start();
  }

  remove(id: string): void {
    this.under.get(id)?.abort();
    this.entries = this.entries.filter((entry) => entry.id !== id);
    this.tell();
  }

  clear(): void {
    for (const entry of this.entries) this.remove(entry.id);
  }

  private next(): void {
    if (!this.running) return;
    const ready = this.entries.filter((entry) => entry.state === "waiting" && entry.looked?.refusal === undefined);
    for (const entry of ready.slice(0, Math.max(0, AT_ONCE - this.under.size))) void this.send(entry);
    if (ready.length === 0 && this.under.size === 0) this.running = false;
  }

  private async send(entry: Entry, again = true): Promise<void> {
    this.change(entry.id, { state: "sending", percent: 0 });
    const request = new XMLHttpRequest();
    this.under.set(entry.id, request);
    const over = new Promise<void>((resolve) => {
      request.onload = request.onerror = request.onabort = request.ontimeout = () => resolve();
    });
    request.upload.onprogress = (event) => {
      if (event.lengthComputable) this.change(entry.id, { percent: Math.round((event.loaded / event.total) * 100) });
    };
    request.upload.onload = () => this.change(entry.id, { state: "working", percent: 100 });
    request.open("POST", "/v1/analyses?explain=true&explain_models=true&annotate=true");
    request.setRequestHeader("Authorization", `Bearer ${this.tokens.current() ?? ""}`);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.setRequestHeader("Idempotency-Key", crypto.randomUUID());
    request.setRequestHeader("traceparent", `00-${hexadecimal(16)}-${hexadecimal(8)}-01`);
    request.timeout = 60_000;
    request.send(entry.file);
    await over;
    this.under.delete(entry.id);
    if (this.find(entry.id)?.state !== "cancelled") {
      if (request.status === 401 && again && (await this.tokens.renew().catch(() => undefined)) !== undefined) {
        await this.send(entry, false);
        return;
      }
      this.change(entry.id, outcome(request.status, request.responseText));
    }
    this.next();
  }

  private change(id: string, part: Partial<Entry>): void {
    this.entries = this.entries.map((entry) => (entry.id === id ? { ...entry, ...part } : entry));
    this.tell();
  }

  private tell(): void {
    for (const listener of this.listeners) listener();
  }
}

/** Random bytes, as W3C trace context writes them. */
function hexadecimal(bytes: number): string {
  return [...crypto.getRandomValues(new Uint8Array(bytes))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** What an answer means for its entry. */
export function outcome(status: number, text: string): Partial<Entry> {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    document = undefined;
  }
  if (status === 200 && document !== undefined) return { state: "done", analysis: document as Analysis };
  const error = isProblem(document) ? new HeparProblem(document) : new Error("no answer");
  return { state: "failed", error };
}

export function useEntries(queue: Queue): readonly Entry[] {
  return useSyncExternalStore(queue.subscribe, queue.all);
}

/** RFC 4180, for what the table shows. */
export function asCsv(entries: readonly Entry[]): string {
  const quoted = (value: unknown) => {
    const text = String(value ?? "");
    const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
    return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  const rows = entries.map(({ file, state, analysis }) => {
    const classification = analysis && !isProblem(analysis.classification) ? analysis.classification : undefined;
    const detection = analysis && !isProblem(analysis.detection) ? analysis.detection : undefined;
    return [
      file.name,
      state,
      classification?.outcome,
      classification?.label,
      classification?.probability,
      classification?.agreeing_models,
      classification?.voting_models,
      detection?.boxes.length,
      detection?.boxes[0]?.score,
    ];
  });
  const head = ["file", "state", "outcome", "label", "probability", "agreeing_models", "voting_models", "boxes", "best_score"];
  return [head, ...rows].map((row) => row.map(quoted).join(",")).join("\r\n") + "\r\n";
}
