/** The worklist, kept up to date while analyses run. */
import { useCallback, useEffect, useState } from "react";
import { dataOrThrow, type Study } from "../api.ts";
import { useInterval } from "../components/useInterval.ts";
import { useResource } from "../components/useResource.ts";
import { useSession } from "../session/SessionProvider.tsx";

/** While studies are analysed. */
const ACTIVE_REFRESH_MS = 2000;
/** Otherwise: studies also come from archives. */
const IDLE_REFRESH_MS = 10_000;

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
  useInterval(() => void reload(), active ? ACTIVE_REFRESH_MS : IDLE_REFRESH_MS);
  const next = data?.next ?? undefined;
  return { studies: data?.items, error, reload, onMore: next ? () => setAfter(next) : undefined, onFirst: after ? () => setAfter(undefined) : undefined };
}
