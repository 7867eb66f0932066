import type { StudyResult } from "../../api.ts";
import { useTranslator } from "../../i18n/LanguageProvider.tsx";

interface SliceStripProps {
  result: StudyResult;
  index: number;
  onIndex(index: number): void;
}

/** All slices from the feet to the head: the liver, and over it the lesions by type. Chosen by the slider below. */
export function SliceStrip({ result: { volume, lesions }, index, onIndex }: SliceStripProps) {
  const translator = useTranslator();
  const [first, last] = volume.liver_slices ?? [0, -1];
  return (
    <div className="strip">
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
        onChange={(event) => onIndex(Number(event.target.value))}
      />
    </div>
  );
}
