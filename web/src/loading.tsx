import { useCallback, useEffect, useState } from "react";
import { useSay } from "./i18n.tsx";
import { troubleOf, type Trouble } from "./problems.tsx";

/** Something that comes from the gateway, its trouble, and a way to ask again. */
export function useLoaded<Found>(load: () => Promise<Found>) {
  const say = useSay();
  const [found, setFound] = useState<Found>();
  const [trouble, setTrouble] = useState<Trouble>();
  const reload = useCallback(async () => {
    try {
      setFound(await load());
      setTrouble(undefined);
    } catch (error) {
      setTrouble(troubleOf(error, say));
    }
  }, [load, say]);
  useEffect(() => {
    void reload();
  }, [reload]);
  return { found, trouble, reload, setTrouble };
}
