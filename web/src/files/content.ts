/** What files that were dropped together are: a study, or images of one slice each. */
import type { NamedFile } from "../queue/items.ts";
import { kindOf } from "./inspection.ts";

/** study: media or a folder with DICOM files, an archive, or a NIfTI volume. slices: DICOM files without a folder. */
export type Content = "study" | "slices" | "images" | "unknown";

/** Bytes that tell the kind of a file; the service reads as many. */
const HEAD_BYTES = 512;
const DIRECTORY = /(^|\/)DICOMDIR$/i;
const NIFTI = /\.nii(\.gz)?$/i;
const ZIP = [0x50, 0x4b, 0x03, 0x04];
const GZIP = [0x1f, 0x8b];

/** By the beginnings of the files. One DICOM image decides; a medium has pictures and programs around its images. */
export async function contentOf(files: readonly NamedFile[]): Promise<Content> {
  let content: Content = "unknown";
  const withDirectory = files.some(({ name }) => DIRECTORY.test(name));
  for (const { name, file } of files) {
    const head = await headOf(file);
    const kind = kindOf(head);
    if (kind === "DICOM" && !DIRECTORY.test(name)) return withDirectory || name.includes("/") ? "study" : "slices";
    if (NIFTI.test(name)) return "study";
    if (kind !== undefined && kind !== "DICOM") content = "images";
    else if (content === "unknown" && [ZIP, GZIP].some((signature) => startsWith(head, signature))) content = "study";
  }
  return content;
}

/** Empty where the file cannot be read. */
async function headOf(file: File): Promise<Uint8Array> {
  try {
    return new Uint8Array(await file.slice(0, HEAD_BYTES).arrayBuffer());
  } catch {
    return new Uint8Array();
  }
}

function startsWith(bytes: Uint8Array, expected: readonly number[]): boolean {
  return expected.every((byte, index) => bytes[index] === byte);
}
