import { dataOrThrow, type Destination, type StudyResult } from "../../api.ts";
import { Dialog, DialogActions } from "../../components/Dialog.tsx";
import { ErrorBox } from "../../components/ErrorBox.tsx";
import { useAction } from "../../components/useAction.ts";
import { useTranslator } from "../../i18n/LanguageProvider.tsx";
import { LANGUAGE_NAMES } from "../../i18n/languages.ts";
import { useSession } from "../../session/SessionProvider.tsx";
import { reportQuery, type ReportOptions } from "../../studies/reportOptions.ts";
import { fileLabel, hasReportPage, keyImageNumber, keyImageSlices, sentFiles, type SentFile } from "../../studies/resultFiles.ts";
import { FilePicture } from "./FilePicture.tsx";
import { ReportPreview } from "./ReportPreview.tsx";

interface SendDialogProps {
  result: StudyResult;
  options: ReportOptions;
  destination: Destination;
  onClose(): void;
  onSent(): void;
}

/** What exactly a destination would get, and the button that sends it. */
export function SendDialog({ result, options, destination, onClose, onSent }: SendDialogProps) {
  const translator = useTranslator();
  const { hepar } = useSession();
  const files = sentFiles(result, options, destination);
  const { busy, error, run } = useAction(async () => {
    const body = { destination: destination.name, ...reportQuery(result, options) };
    dataOrThrow(await hepar.POST("/v1/studies/{study_id}/sends", { params: { path: { study_id: result.study_id } }, body }));
    onSent();
    onClose();
  });
  return (
    <Dialog title={translator.text("sendTo", { destination: destination.title })} onClose={onClose} wide>
      <SentFacts result={result} options={options} files={files} />
      <ErrorBox error={error} />
      <DialogActions onClose={onClose}>
        <button type="button" className="primary" disabled={busy || files.length === 0} onClick={run}>
          {translator.text("sendNow")}
        </button>
      </DialogActions>
    </Dialog>
  );
}

interface SentFactsProps {
  result: StudyResult;
  options: ReportOptions;
  files: readonly SentFile[];
}

function SentFacts({ result, options, files }: SentFactsProps) {
  const translator = useTranslator();
  const slices = keyImageSlices(result, options).map((index) => index + 1);
  if (files.length === 0) return <p>{translator.text("nothingToSend")}</p>;
  return (
    <>
      <p>
        {[
          translator.text("resultNumber", { version: result.version }),
          LANGUAGE_NAMES[options.language],
          ...(slices.length > 0 ? [translator.text("keyImagesOf", { slices: slices.join(", ") })] : []),
        ].join(" · ")}
      </p>
      <ul className="sent-files" aria-label={translator.text("files")}>
        {files.map((name) => (
          <li key={name}>{fileLabel(translator, name)}</li>
        ))}
      </ul>
      <div className="sent-pictures">
        {hasReportPage(files) ? <ReportPreview result={result} options={options} /> : null}
        <div className="sent-images">
          {files.map((name) => (
            <SentKeyImage key={name} result={result} options={options} name={name} />
          ))}
        </div>
      </div>
    </>
  );
}

/** Nothing for files that are no key images. As PNG and as DICOM, a key image is the same picture. */
function SentKeyImage({ result, options, name }: { result: StudyResult; options: ReportOptions; name: SentFile }) {
  const translator = useTranslator();
  const number = keyImageNumber(name);
  if (!number) return null;
  const picture = `key-image-${number}.png` as SentFile;
  return <FilePicture result={result} options={options} name={picture} alt={fileLabel(translator, name)} className="sent-image" />;
}
