import { useCallback } from "react";
import { dataOrThrow, type StudyResult } from "../../api.ts";
import { ErrorBox } from "../../components/ErrorBox.tsx";
import { useObjectUrl } from "../../components/useObjectUrl.ts";
import { useTranslator } from "../../i18n/LanguageProvider.tsx";
import { useSession } from "../../session/SessionProvider.tsx";
import { reportQuery, type ReportOptions } from "../../studies/reportOptions.ts";
import type { SentFile } from "../../studies/resultFiles.ts";

interface FilePictureProps {
  result: StudyResult;
  options: ReportOptions;
  /** A PNG file of the result. */
  name: SentFile;
  alt: string;
  /** In pixels; of a square picture by default. */
  size?: { width: number; height: number };
  className?: string;
}

/** A file of the result that is a picture, in the language and with the key images of the options. */
export function FilePicture({ result, options: { language, slices }, name, alt, size, className = "preview" }: FilePictureProps) {
  const translator = useTranslator();
  const { hepar } = useSession();
  const chosen = slices.join(",");
  const { url, error, loading } = useObjectUrl(
    useCallback(async () => {
      const options = { language, slices: chosen ? chosen.split(",").map(Number) : [] };
      const params = { path: { study_id: result.study_id, name }, query: reportQuery(result, options) };
      return dataOrThrow<Blob>(await hepar.GET("/v1/studies/{study_id}/files/{name}", { params, parseAs: "blob" }));
    }, [hepar, result, name, language, chosen]),
  );
  return (
    <div className={className} aria-busy={loading}>
      <p role="status" className="unseen">
        {loading ? translator.text("loading") : translator.text("previewReady")}
      </p>
      <ErrorBox error={error} />
      {url ? <img src={url} alt={alt} {...size} /> : <div className="page blank" />}
    </div>
  );
}
