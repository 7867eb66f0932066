import { useState } from "react";
import { dataOrThrow, type StudyResult } from "../../api.ts";
import { download } from "../../components/download.ts";
import { ErrorBox } from "../../components/ErrorBox.tsx";
import { useTranslator } from "../../i18n/LanguageProvider.tsx";
import { useSession } from "../../session/SessionProvider.tsx";
import { reportQuery, type ReportOptions } from "../../studies/reportOptions.ts";
import { fileLabel, KEY_IMAGES, keyImageCount, RESULT_FILES, type SentFile } from "../../studies/resultFiles.ts";

interface ReportFilesProps {
  result: StudyResult;
  options: ReportOptions;
}

/** Every output. A study without DICOM files has no DICOM objects: the server says so. */
export function ReportFiles({ result, options }: ReportFilesProps) {
  const translator = useTranslator();
  const { hepar } = useSession();
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState<string>();
  const images = KEY_IMAGES.slice(0, keyImageCount(result, options)).flatMap((stem) => [`${stem}.png`, `${stem}.dcm`] as const);
  const names = [...(Object.keys(RESULT_FILES) as (keyof typeof RESULT_FILES)[]), ...images];

  async function fetchFile(name: SentFile): Promise<void> {
    setBusy(name);
    try {
      const params = { path: { study_id: result.study_id, name }, query: reportQuery(result, options) };
      const content: Blob = dataOrThrow(await hepar.GET("/v1/studies/{study_id}/files/{name}", { params, parseAs: "blob" }));
      download(`${result.study_id}-${name}`, content, content.type);
      setError(undefined);
    } catch (reason) {
      setError(reason);
    } finally {
      setBusy(undefined);
    }
  }

  return (
    <section aria-labelledby="report-files">
      <h2 id="report-files">{translator.text("files")}</h2>
      <div className="files">
        {names.map((name) => (
          <button type="button" key={name} disabled={busy === name} onClick={() => void fetchFile(name)}>
            {fileLabel(translator, name)}
          </button>
        ))}
      </div>
      <ErrorBox error={error} />
    </section>
  );
}
