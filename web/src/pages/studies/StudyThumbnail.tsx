import type { Study } from "../../api.ts";
import { SliceImage } from "./SliceImage.tsx";

/** The most telling slice. */
export function StudyThumbnail({ study: { id, version, summary } }: { study: Study }) {
  const index = summary?.key_slice ?? undefined;
  return index === undefined ? null : <SliceImage studyId={id} version={version} index={index} side={64} />;
}
