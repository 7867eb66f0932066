import { useCallback } from "react";
import { dataOrThrow } from "../api.ts";
import { useSession } from "../session/SessionProvider.tsx";
import { useResource } from "./useResource.ts";

/** What this server offers to people without a session; undefined until it is known. */
export function useAccountOptions() {
  const { hepar } = useSession();
  const load = useCallback(async () => dataOrThrow(await hepar.GET("/v1/account-options")), [hepar]);
  return useResource(load).data;
}
