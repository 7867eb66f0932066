import { useCallback, useEffect, useRef, useState } from "react";

/**
 * Data that is loaded from the gateway, with the error of the last attempt. An answer that comes after the answer to a
 * later request is dropped. load: must be memoised.
 */
export function useResource<Data>(load: () => Promise<Data>) {
  const [data, setData] = useState<Data>();
  const [error, setError] = useState<unknown>();
  const requests = useRef({ sent: 0, answered: 0 });
  const reload = useCallback(async () => {
    const { current } = requests;
    const number = ++current.sent;
    const isOvertaken = () => {
      current.answered = Math.max(current.answered, number);
      return current.answered > number;
    };
    try {
      const loaded = await load();
      if (isOvertaken()) return;
      setData(loaded);
      setError(undefined);
    } catch (reason) {
      if (!isOvertaken()) setError(reason);
    }
  }, [load]);
  useEffect(() => {
    void reload();
  }, [reload]);
  return { data, error, reload, setError };
}
