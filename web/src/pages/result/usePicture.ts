import { useEffect, useState } from "react";
import { inspectFile } from "../../files/inspection.ts";
import type { Picture } from "../../files/picture.ts";
import type { QueueItem } from "../../queue/items.ts";

/** The picture of an item. Those of later frames are decoded when they are shown. */
export function usePicture({ file, frame, inspection }: QueueItem): { picture: Picture | undefined; loading: boolean } {
  const known = inspection?.picture;
  const deferred = known === undefined && frame !== undefined && frame.index > 0;
  const [picture, setPicture] = useState(known);
  const [loading, setLoading] = useState(deferred);
  const index = frame?.index ?? 0;
  useEffect(() => {
    if (!deferred) return;
    let shown = true;
    void inspectFile(file, index).then((inspected) => {
      if (!shown) return;
      setPicture(inspected.picture);
      setLoading(false);
    });
    return () => {
      shown = false;
    };
  }, [deferred, file, index]);
  return { picture, loading };
}
