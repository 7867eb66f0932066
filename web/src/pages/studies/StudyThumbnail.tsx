import { useCallback, useEffect, useState } from "react";
import { dataOrThrow, type Study } from "../../api.ts";
import { useSession } from "../../session/SessionProvider.tsx";

/** The most telling slice. An image that cannot be fetched leaves the place empty: the row says what there is. */
export function StudyThumbnail({ study: { id, version, summary } }: { study: Study }) {
  const { hepar } = useSession();
  const [source, setSource] = useState<string>();
  const index = summary?.key_slice ?? undefined;
  const load = useCallback(async () => {
    if (index === undefined) return undefined;
    const params = { path: { study_id: id, index }, query: { version } };
    const picture: Blob = dataOrThrow(await hepar.GET("/v1/studies/{study_id}/slices/{index}.png", { params, parseAs: "blob" }));
    return URL.createObjectURL(picture);
  }, [hepar, id, version, index]);
  useEffect(() => {
    let url: string | undefined;
    let shown = true;
    load().then(
      (loaded) => {
        url = loaded;
        if (shown) setSource(loaded);
        else if (loaded !== undefined) URL.revokeObjectURL(loaded);
      },
      () => undefined,
    );
    return () => {
      shown = false;
      if (url !== undefined) URL.revokeObjectURL(url);
    };
  }, [load]);
  return source ? <img className="thumbnail" src={source} alt="" width={64} height={64} /> : null;
}
