import { useEffect, useEffectEvent } from "react";

/** Repeats an action while the component is shown. */
export function useInterval(action: () => void, interval_ms: number): void {
  const repeat = useEffectEvent(action);
  useEffect(() => {
    const timer = setInterval(() => repeat(), interval_ms);
    return () => clearInterval(timer);
  }, [interval_ms]);
}
