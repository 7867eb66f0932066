import { expect, test } from "vitest";
import { contentOf } from "./content.ts";

const PNG = [0x89, 0x50, 0x4e, 0x47];
const ZIP = [0x50, 0x4b, 0x03, 0x04];
const GZIP = [0x1f, 0x8b];
const DICOM = [...new Array<number>(128).fill(0), 0x44, 0x49, 0x43, 0x4d];
const TEXT = [0x6e, 0x6f];

const named = (name: string, bytes: number[]) => ({ name, file: new File([new Uint8Array(bytes)], name) });

test.each([
  ["a folder of DICOM files", "study", [named("study/a", DICOM), named("study/b", DICOM)]],
  ["media with an index, pictures and programs", "study", [named("logo.png", PNG), named("DICOMDIR", DICOM), named("viewer.exe", TEXT), named("IM1", DICOM)]],
  ["an archive", "study", [named("study.zip", ZIP)]],
  ["a compressed volume", "study", [named("volume.nii.gz", GZIP)]],
  ["a volume next to a picture of it", "study", [named("view.png", PNG), named("volume.nii", TEXT)]],
  ["DICOM files without a folder", "slices", [named("a.dcm", DICOM), named("b.dcm", DICOM)]],
  ["an image", "images", [named("slice.png", PNG)]],
  ["images with their index alone", "images", [named("DICOMDIR", DICOM), named("slice.png", PNG)]],
  ["images and an archive", "images", [named("words.docx", ZIP), named("study/slice.png", PNG)]],
  ["text", "unknown", [named("notes.txt", TEXT), named("empty", [])]],
] as const)("%s: %s", async (_name, content, files) => {
  expect(await contentOf(files)).toBe(content);
});
