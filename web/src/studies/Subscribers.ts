/** Those that want to know of changes outside of React's state: for useSyncExternalStore. */
const SOON_MS = 100;

export class Subscribers {
  private readonly listeners = new Set<() => void>();
  private timer: ReturnType<typeof setTimeout> | undefined;

  /** Returns what ends the subscription. */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  readonly tell = (): void => {
    for (const listener of this.listeners) listener();
  };

  /** Many changes within a tenth of a second are told once. */
  tellSoon(): void {
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      this.tell();
    }, SOON_MS);
  }
}
