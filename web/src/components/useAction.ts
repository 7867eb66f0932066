import { useState } from "react";

/** Something that a button does, once at a time, with its result or error. */
export function useAction<Result>(action: () => Promise<Result>) {
  const [busy, setBusy] = useState(false);
  const [outcome, setOutcome] = useState<{ result?: Result; error?: unknown }>({});
  async function start(): Promise<void> {
    setBusy(true);
    setOutcome({});
    try {
      setOutcome({ result: await action() });
    } catch (error) {
      setOutcome({ error });
    } finally {
      setBusy(false);
    }
  }
  return { ...outcome, busy, run: () => void start() };
}
