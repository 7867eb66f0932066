/** The files of a result: their names in words, and which of them a destination gets. */
import type { Destination, StudyResult } from "../api.ts";
import type { MessageKey } from "../i18n/en.ts";
import type { Translator } from "../i18n/translator.ts";
import type { ReportOptions } from "./reportOptions.ts";

export const RESULT_FILES = {
  "report.pdf": "downloadReport",
  "report.dcm": "downloadReportDicom",
  "report.fhir.json": "downloadFhir",
  "segmentation.dcm": "downloadSegmentation",
  "measurements.dcm": "downloadMeasurements",
  "measurements-2d.dcm": "downloadMeasurements2d",
  "lesions.csv": "downloadTable",
  "result.json": "downloadJson",
} as const satisfies Record<string, MessageKey>;

export const KEY_IMAGES = ["key-image-1", "key-image-2", "key-image-3", "key-image-4", "key-image-5"] as const;

export type SentFile = Destination["files"][number];

/** Number of key images: a result without key slices shows one slice. */
export function keyImageCount(result: StudyResult, { slices }: ReportOptions): number {
  return Math.min(KEY_IMAGES.length, slices.length || Math.max(1, result.key_slices.length));
}

export function fileLabel(translator: Translator, name: SentFile): string {
  const image = keyImageNumber(name);
  if (image) return translator.text("downloadKeyImage", { number: image, format: name.endsWith(".dcm") ? "DICOM" : "PNG" });
  if (name === "report.png") return translator.text("downloadReportPicture");
  return Object.hasOwn(RESULT_FILES, name) ? translator.text(RESULT_FILES[name as keyof typeof RESULT_FILES]) : name;
}

/** Of the destination's files, those that this result has: without DICOM images there are no DICOM objects. */
export function sentFiles(result: StudyResult, options: ReportOptions, { files }: Destination): SentFile[] {
  const hasImages = result.series.some(({ uid }) => uid !== null);
  const hasMasks = result.liver_ml !== null || result.lesions.some(({ measured_on }) => measured_on === "mask");
  const images = keyImageCount(result, options);
  return files.filter((name) => {
    if (name.endsWith(".dcm") && !hasImages) return false;
    return (name !== "segmentation.dcm" || hasMasks) && (keyImageNumber(name) ?? 0) <= images;
  });
}

/** Whether the page of the report is in one of the files. */
export function hasReportPage(files: readonly SentFile[]): boolean {
  return files.some((name) => name.startsWith("report."));
}

/** Of the key images, from 0. Empty where a result without key slices shows a slice of its own choice. */
export function keyImageSlices(result: StudyResult, { slices }: ReportOptions): readonly number[] {
  return slices.length > 0 ? slices : result.key_slices.slice(0, KEY_IMAGES.length).map(({ slice }) => slice);
}

export function keyImageNumber(name: SentFile): number | undefined {
  const number = /^key-image-(\d)\./.exec(name)?.[1];
  return number === undefined ? undefined : Number(number);
}
