import { useCallback } from "react";
import { dataOrThrow, type StudyResult } from "../../api.ts";
import { ErrorBox } from "../../components/ErrorBox.tsx";
import { useObjectUrl } from "../../components/useObjectUrl.ts";
import { useTranslator } from "../../i18n/LanguageProvider.tsx";
import { useSession } from "../../session/SessionProvider.tsx";
import { reportQuery, type ReportOptions } from "../../studies/reportOptions.ts";

/** The page of the PDF as a picture: the policy of this application shows no PDF. It is also what is printed. */
export function ReportPreview({ result, options: { language, slices } }: { result: StudyResult; options: ReportOptions }) {
  const translator = useTranslator();
  const { hepar } = useSession();
  const chosen = slices.join(",");
  const { url, error, loading } = useObjectUrl(
    useCallback(async () => {
      const options = { language, slices: chosen ? chosen.split(",").map(Number) : [] };
      const params = { path: { study_id: result.study_id, name: "report.png" as const }, query: reportQuery(result, options) };
      return dataOrThrow<Blob>(await hepar.GET("/v1/studies/{study_id}/files/{name}", { params, parseAs: "blob" }));
    }, [hepar, result, language, chosen]),
  );
  return (
    <div className="preview" aria-busy={loading}>
      <p role="status" className="unseen">
        {loading ? translator.text("loading") : translator.text("previewReady")}
      </p>
      <ErrorBox error={error} />
      {url ? <img src={url} alt={translator.text("previewAlt")} width={1191} height={1684} /> : <div className="page blank" />}
    </div>
  );
}
