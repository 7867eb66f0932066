import { useState } from "react";
import { dataOrThrow, type StudyResult } from "../../api.ts";
import { download } from "../../components/download.ts";
import { ErrorBox } from "../../components/ErrorBox.tsx";
import type { MessageKey } from "../../i18n/en.ts";
import { useTranslator } from "../../i18n/LanguageProvider.tsx";
import { useSession } from "../../session/SessionProvider.tsx";
import { reportQuery, type ReportOptions } from "../../studies/reportOptions.ts";

const FILES = [
  ["report.pdf", "downloadReport"],
  ["report.dcm", "downloadReportDicom"],
  ["report.fhir.json", "downloadFhir"],
  ["segmentation.dcm", "downloadSegmentation"],
  ["measurements.dcm", "downloadMeasurements"],
  ["measurements-2d.dcm", "downloadMeasurements2d"],
  ["lesions.csv", "downloadTable"],
  ["result.json", "downloadJson"],
] as const satisfies readonly (readonly [string, MessageKey])[];
const KEY_IMAGES = ["key-image-1", "key-image-2", "key-image-3", "key-image-4", "key-image-5"] as const;

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
  const images = KEY_IMAGES.slice(0, options.slices.length || Math.max(1, result.key_slices.length));

  async function fetchFile(name: FileName): Promise<void> {
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

  function button(name: FileName, label: string) {
    return (
      <button type="button" key={name} disabled={busy === name} onClick={() => void fetchFile(name)}>
        {label}
      </button>
    );
  }

  return (
    <section aria-labelledby="report-files">
      <h2 id="report-files">{translator.text("files")}</h2>
      <div className="files">
        {FILES.map(([name, label]) => button(name, translator.text(label)))}
        {images.flatMap((stem, place) => [
          button(`${stem}.png`, translator.text("downloadKeyImage", { number: place + 1, format: "PNG" })),
          button(`${stem}.dcm`, translator.text("downloadKeyImage", { number: place + 1, format: "DICOM" })),
        ])}
      </div>
      <ErrorBox error={error} />
    </section>
  );
}

type FileName = (typeof FILES)[number][0] | `${(typeof KEY_IMAGES)[number]}.${"png" | "dcm"}`;
