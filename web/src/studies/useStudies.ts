/** The worklist, kept up to date while analyses run. */
import { useCallback, useEffect, useState } from "react";
import { dataOrThrow, type Study } from "../api.ts";
import { useResource } from "../components/useResource.ts";
import { useSession } from "../session/SessionProvider.tsx";

const REFRESH_MS = 2000;

export interface StudyFilter {
  search: string;
  status: Study["status"] | "";
  order: "newest" | "attention";
}

export const isActive = ({ status }: Study) => status === "queued" || status === "running";

export function useStudies({ search, status, order }: StudyFilter) {
  const { hepar } = useSession();
  const [after, setAfter] = useState<string>();
  const load = useCallback(async () => {
    const query = { order, ...(search ? { search } : {}), ...(status ? { status } : {}), ...(after ? { after } : {}) };
    return dataOrThrow(await hepar.GET("/v1/studies", { params: { query } }));
  }, [hepar, search, status, order, after]);
  const { data, error, reload } = useResource(load);
  useEffect(() => setAfter(undefined), [search, status, order]);
  const active = data?.items.some(isActive) ?? false;
  useEffect(() => {
    if (!active) return;
    const timer = setInterval(() => void reload(), REFRESH_MS);
    return () => clearInterval(timer);
  }, [active, reload]);
  const next = data?.next ?? undefined;
  return { studies: data?.items, error, reload, onMore: next ? () => setAfter(next) : undefined, onFirst: after ? () => setAfter(undefined) : undefined };
}
