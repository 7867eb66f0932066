import { useEffect, useState } from "react";
import type { Classification } from "../../api.ts";
import { fetchExplanations } from "../../queue/details.ts";
import type { QueueItem } from "../../queue/items.ts";
import { useSession } from "../../session/SessionProvider.tsx";
import type { ActivationMap } from "../../viewer/drawing.ts";

export const ENSEMBLE = "ensemble";
const NONE: ReadonlyMap<string, ActivationMap> = new Map();

interface Loaded {
  itemId: string;
  maps?: ReadonlyMap<string, ActivationMap>;
  error?: unknown;
}

/** By model, and that of the ensemble. They are fetched once wanted: they are larger than the image. */
export function useActivationMaps(item: QueueItem, wanted: boolean) {
  const { tokens } = useSession();
  const [loaded, setLoaded] = useState<Loaded>();
  const current = loaded?.itemId === item.id ? loaded : undefined;
  const missing = wanted && current === undefined;
  useEffect(() => {
    if (!missing) return;
    const controller = new AbortController();
    const finish = (outcome: Omit<Loaded, "itemId">) => {
      if (!controller.signal.aborted) setLoaded({ itemId: item.id, ...outcome });
    };
    fetchExplanations(item, tokens, controller.signal).then(
      (classification) => finish({ maps: activationMaps(classification) }),
      (error: unknown) => finish({ error }),
    );
    return () => controller.abort();
  }, [missing, item, tokens]);
  return { maps: current?.maps ?? NONE, loading: missing, error: current?.error };
}

function activationMaps({ explanation: ensemble, votes }: Classification): Map<string, ActivationMap> {
  const maps = new Map<string, ActivationMap>();
  if (ensemble) maps.set(ENSEMBLE, ensemble.activation_map);
  for (const { model, explanation } of votes) {
    if (explanation) maps.set(model, explanation.activation_map);
  }
  return maps;
}
