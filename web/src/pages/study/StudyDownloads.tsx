import { useState } from "react";
import { dataOrThrow, type StudyResult } from "../../api.ts";
import { download } from "../../components/download.ts";
import { ErrorBox } from "../../components/ErrorBox.tsx";
import type { MessageKey } from "../../i18n/en.ts";
import { useTranslator } from "../../i18n/LanguageProvider.tsx";
import { useSession } from "../../session/SessionProvider.tsx";

const FILES = [
  ["report.pdf", "downloadReport"],
  ["lesions.csv", "downloadTable"],
  ["result.json", "downloadJson"],
  ["segmentation.dcm", "downloadSegmentation"],
  ["measurements.dcm", "downloadMeasurements"],
  ["report.fhir.json", "downloadFhir"],
] as const satisfies readonly (readonly [string, MessageKey])[];

/** The result as files. A study without DICOM files has no DICOM objects: the server says so. */
export function StudyDownloads({ result: { study_id, version } }: { result: StudyResult }) {
  const translator = useTranslator();
  const { hepar } = useSession();
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState<string>();

  async function fetchFile(name: (typeof FILES)[number][0]): Promise<void> {
    setBusy(name);
    try {
      const params = { path: { study_id, name }, query: { version, language: translator.language } };
      const content: Blob = dataOrThrow(await hepar.GET("/v1/studies/{study_id}/files/{name}", { params, parseAs: "blob" }));
      download(`${study_id}-${name}`, content, content.type);
      setError(undefined);
    } catch (reason) {
      setError(reason);
    } finally {
      setBusy(undefined);
    }
  }

  return (
    <>
      <h2>{translator.text("files")}</h2>
      <div className="tools">
        {FILES.map(([name, label]) => (
          <button type="button" key={name} disabled={busy === name} onClick={() => void fetchFile(name)}>
            {translator.text(label)}
          </button>
        ))}
      </div>
      <ErrorBox error={error} />
    </>
  );
}
