/** Sends studies one after the other. Outlives the page that they were dropped on, but not the session. */
import { useSyncExternalStore } from "react";
import type { TokenSource } from "../api.ts";
import type { NamedFile } from "../queue/items.ts";
import { sendStudy } from "./sendStudy.ts";
import { Subscribers } from "./Subscribers.ts";

export interface SenderState {
  /** Of the study that is being sent, 0 to 1; undefined when there is none. */
  progress: number | undefined;
  /** Why the last one was not taken. */
  error: unknown;
  /** Studies that were taken. */
  sent: number;
}

const IDLE: SenderState = { progress: undefined, error: undefined, sent: 0 };

export class StudySender {
  private readonly subscribers = new Subscribers();
  private state = IDLE;
  private last: Promise<void> = Promise.resolve();
  private controller = new AbortController();

  constructor(private readonly tokens: TokenSource) {}

  readonly subscribe = this.subscribers.subscribe;
  readonly snapshot = (): SenderState => this.state;

  /** Files that may still be being listed are one study; none are nothing. */
  sendListed(listing: Promise<readonly NamedFile[]>): void {
    const { signal } = this.controller;
    this.last = this.send(listing, this.last, signal);
  }

  /** Stops what is being sent, and forgets it. */
  clear(): void {
    this.controller.abort();
    this.controller = new AbortController();
    this.change(IDLE);
  }

  private async send(listing: Promise<readonly NamedFile[]>, previous: Promise<void>, signal: AbortSignal): Promise<void> {
    const change = (changes: Partial<SenderState>) => {
      if (!signal.aborted) this.change(changes);
    };
    try {
      const [listed] = await Promise.all([listing, previous]);
      if (listed.length === 0 || signal.aborted) return;
      change({ progress: 0, error: undefined });
      const all = listed.map(({ file }) => file);
      await sendStudy(all, this.tokens, { onProgress: (progress) => change({ progress }), signal });
      change({ progress: undefined, sent: this.state.sent + 1 });
    } catch (error) {
      change({ progress: undefined, error });
    }
  }

  private change(changes: Partial<SenderState>): void {
    this.state = { ...this.state, ...changes };
    this.subscribers.tell();
  }
}

export function useSenderState(sender: StudySender): SenderState {
  return useSyncExternalStore(sender.subscribe, sender.snapshot);
}
