import { useEffect, useState } from "react";
import { useSession } from "../../session/SessionProvider.tsx";

/** E-mail addresses by account id, as they become known. Ids of deleted accounts, clients and services have none. */
export function useAccountNames(ids: readonly (string | null | undefined)[]): ReadonlyMap<string, string> {
  const { hepar } = useSession();
  const [names, setNames] = useState<ReadonlyMap<string, string>>(new Map());
  const wanted = [...new Set(ids)].filter((id) => id && /^[0-9a-f]{32}$/.test(id)).sort().join(" ");
  useEffect(() => {
    let current = true;
    async function load(id: string): Promise<void> {
      const { data } = await hepar.GET("/v1/users/{account_id}", { params: { path: { account_id: id } } });
      if (current && data) setNames((known) => new Map(known).set(id, data.email));
    }
    // Without an answer the id stays, which is correct as well.
    for (const id of wanted.split(" ").filter(Boolean)) load(id).catch(() => undefined);
    return () => {
      current = false;
    };
  }, [hepar, wanted]);
  return names;
}
