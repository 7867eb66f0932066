import { useCallback, useEffect, useState } from "react";
import { dataOrThrow, type Study } from "../../api.ts";
import { useSession } from "../../session/SessionProvider.tsx";

/** The most telling slice. An image that cannot be fetched leaves the place empty: the row says what there is. */
export function StudyThumbnail({ study: { id, version } }: { study: Study }) {
  const { hepar } = useSession();
  const [source, setSource] = useState<string>();
  const load = useCallback(async () => {
    const params = { path: { study_id: id }, query: { version } };
    const picture: Blob = dataOrThrow(await hepar.GET("/v1/studies/{study_id}/thumbnail.png", { params, parseAs: "blob" }));
    return URL.createObjectURL(picture);
  }, [hepar, id, version]);
  useEffect(() => {
    let url: string | undefined;
    let shown = true;
    load().then(
      (loaded) => {
        url = loaded;
        if (shown) setSource(loaded);
        else URL.revokeObjectURL(loaded);
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
