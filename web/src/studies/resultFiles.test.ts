import { expect, test } from "vitest";
import type { Destination, StudyResult } from "../api.ts";
import { sentFiles } from "./resultFiles.ts";

const destination = {
  name: "pacs",
  kind: "dicom",
  title: "Archive",
  files: ["segmentation.dcm", "report.dcm", "report.pdf", "key-image-1.dcm", "key-image-2.dcm", "key-image-3.dcm", "key-image-1.png"],
} as Destination;
const result = { series: [{ uid: "1.2.3" }], liver_ml: 1400, lesions: [], key_slices: [{ slice: 3 }] } as unknown as StudyResult;

test("there are as many key images as slices were chosen", () => {
  expect(sentFiles(result, { language: "en", slices: [4, 1] }, destination)).toEqual([
    "segmentation.dcm", "report.dcm", "report.pdf", "key-image-1.dcm", "key-image-2.dcm", "key-image-1.png",
  ]); // prettier-ignore
  expect(sentFiles(result, { language: "en", slices: [] }, destination)).not.toContain("key-image-2.dcm");
});

test("a study without DICOM images has no DICOM objects, and one without masks no segmentation", () => {
  const converted = { ...result, series: [{ uid: null }] } as unknown as StudyResult;
  expect(sentFiles(converted, { language: "en", slices: [] }, destination)).toEqual(["report.pdf", "key-image-1.png"]);
  const unmasked = { ...result, liver_ml: null } as unknown as StudyResult;
  expect(sentFiles(unmasked, { language: "en", slices: [] }, destination)).toEqual(["report.dcm", "report.pdf", "key-image-1.dcm", "key-image-1.png"]);
});
