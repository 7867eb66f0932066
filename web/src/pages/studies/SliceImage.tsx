import { useCallback } from "react";
import { dataOrThrow } from "../../api.ts";
import { useObjectUrl } from "../../components/useObjectUrl.ts";
import { useSession } from "../../session/SessionProvider.tsx";

interface SliceImageProps {
  studyId: string;
  version: number;
  index: number;
  side: number;
}

/** A slice in the liver window, as decoration. One that cannot be fetched leaves the place empty. */
export function SliceImage({ studyId, version, index, side }: SliceImageProps) {
  const { hepar } = useSession();
  const { url } = useObjectUrl(
    useCallback(async () => {
      const params = { path: { study_id: studyId, index }, query: { version } };
      return dataOrThrow<Blob>(await hepar.GET("/v1/studies/{study_id}/slices/{index}.png", { params, parseAs: "blob" }));
    }, [hepar, studyId, version, index]),
  );
  return url ? <img className="thumbnail" src={url} alt="" width={side} height={side} /> : <span className="thumbnail blank" aria-hidden="true" />;
}
