import { useEffect, useState } from "react";

interface ObjectUrl {
  /** Of the newest content that was loaded; it stays while the next is loading. */
  url?: string;
  error?: unknown;
  loading: boolean;
}

/** Content that needs a token, as the address of an image. load: must be memoised; undefined where there is nothing. */
export function useObjectUrl(load: () => Promise<Blob | undefined>): ObjectUrl {
  const [state, setState] = useState<ObjectUrl>({ loading: true });
  useEffect(() => {
    let current = true;
    setState((previous) => ({ ...previous, loading: true }));
    load().then(
      (content) => {
        if (current) setState(content === undefined ? { loading: false } : { url: URL.createObjectURL(content), loading: false });
      },
      (error: unknown) => {
        if (current) setState({ error, loading: false });
      },
    );
    return () => {
      current = false;
    };
  }, [load]);
  const { url } = state;
  useEffect(() => () => (url === undefined ? undefined : URL.revokeObjectURL(url)), [url]);
  return state;
}
