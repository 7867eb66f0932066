import { useCallback, useSyncExternalStore } from "react";
import type { StudyResult } from "../../api.ts";
import { useTranslator } from "../../i18n/LanguageProvider.tsx";
import { useFromVoxel, type Position } from "../../studies/Position.ts";
import type { SliceStore } from "../../studies/SliceStore.ts";
import type { Voxel } from "../../viewer/planes.ts";

interface SliceStripProps {
  result: StudyResult;
  position: Position;
  slices: SliceStore;
}

const sliceOf = ({ slice }: Voxel) => slice;

/** All slices from the feet to the head: the liver, and over it the lesions by type. Chosen by the slider below. */
export function SliceStrip({ result: { volume, lesions }, position, slices }: SliceStripProps) {
  const translator = useTranslator();
  const index = useFromVoxel(position, useCallback(sliceOf, []));
  const [first, last] = volume.liver_slices ?? [0, -1];
  return (
    <div className="strip" title={translator.text("stripHelp")}>
      <svg viewBox={`0 0 ${volume.slices} 10`} preserveAspectRatio="none" aria-hidden="true">
        <rect className="strip-liver" x={first} y={6} width={Math.max(0, last - first + 1)} height={4} />
        {lesions.map(({ id, label, first_slice, last_slice }) => (
          <rect key={id} className={`strip-${label ?? "undecided"}`} x={first_slice} y={1} width={last_slice - first_slice + 1} height={5} />
        ))}
        <rect className="strip-here" x={index} y={0} width={1} height={10} />
      </svg>
      <input
        type="range"
        min={0}
        max={volume.slices - 1}
        value={index}
        aria-label={translator.text("slice")}
        aria-valuetext={translator.text("slicePosition", { number: index + 1, count: volume.slices })}
        onChange={(event) => position.move({ slice: Number(event.target.value) })}
      />
      <Loading slices={slices} />
    </div>
  );
}

/** How much of the volume is there; nothing when all of it is. */
function Loading({ slices }: { slices: SliceStore }) {
  const translator = useTranslator();
  const share = useSyncExternalStore(slices.loaded.subscribe, slices.share);
  if (share === 1 || !slices.complete) return null;
  return <progress className="loading-volume" value={share} aria-label={translator.text("loadingVolume")} />;
}
