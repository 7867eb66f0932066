import { useEffect, useRef, useState } from "react";
import type { Study } from "../api.ts";
import { useSession } from "../session/SessionProvider.tsx";

/** Studies as they become known. Each is fetched once: reading a study is recorded. */
export function useStudiesById(ids: readonly string[]): ReadonlyMap<string, Study> {
  const { hepar } = useSession();
  const [studies, setStudies] = useState<ReadonlyMap<string, Study>>(new Map());
  const requested = useRef(new Set<string>());
  const wanted = [...new Set(ids)].sort().join(" ");
  useEffect(() => {
    async function load(id: string): Promise<void> {
      const { data } = await hepar.GET("/v1/studies/{study_id}", { params: { path: { study_id: id } } });
      if (data) setStudies((known) => new Map(known).set(id, data));
    }
    for (const id of wanted.split(" ").filter((one) => one && !requested.current.has(one))) {
      requested.current.add(id);
      load(id).catch(() => requested.current.delete(id)); // asked for again with the next list
    }
  }, [hepar, wanted]);
  return studies;
}
