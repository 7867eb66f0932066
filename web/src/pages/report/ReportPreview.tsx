import type { StudyResult } from "../../api.ts";
import { useTranslator } from "../../i18n/LanguageProvider.tsx";
import type { ReportOptions } from "../../studies/reportOptions.ts";
import { FilePicture } from "./FilePicture.tsx";

const PAGE_PX = { width: 1191, height: 1684 };

/** The page of the PDF as a picture: the policy of this application shows no PDF. It is also what is printed. */
export function ReportPreview({ result, options }: { result: StudyResult; options: ReportOptions }) {
  const alt = useTranslator().text("previewAlt");
  return <FilePicture result={result} options={options} name="report.png" alt={alt} size={PAGE_PX} />;
}
