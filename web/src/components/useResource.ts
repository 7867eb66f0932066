import { useCallback, useEffect, useState } from "react";

/** Data that is loaded from the gateway, with the error of the last attempt. load: must be memoised. */
export function useResource<Data>(load: () => Promise<Data>) {
  const [data, setData] = useState<Data>();
  const [error, setError] = useState<unknown>();
  const reload = useCallback(async () => {
    try {
      setData(await load());
      setError(undefined);
    } catch (reason) {
      setError(reason);
    }
  }, [load]);
  useEffect(() => {
    void reload();
  }, [reload]);
  return { data, error, reload, setError };
}
