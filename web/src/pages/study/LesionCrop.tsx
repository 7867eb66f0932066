import { useEffect, useRef } from "react";
import type { Finding } from "../../api.ts";
import { LIVER_WINDOW, type SliceStore } from "../../studies/SliceStore.ts";
import { shownSquare } from "../../viewer/outline.ts";
import { WindowedImage } from "../../viewer/WindowedImage.ts";

const CROP_PX = 96;
const MARGIN = 1.6;

/** The lesion in its key slice. */
export function LesionCrop({ finding, store }: { finding: Finding; store: SliceStore }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const { slice, start_px, end_px } = finding.measurement.long_axis;
  const box = boxOf(finding);
  const place = `${slice} ${start_px.join(" ")} ${end_px.join(" ")}`;
  useEffect(() => {
    let shown = true;
    store.get(slice).then(
      (picture) => {
        if (!shown) return;
        const { left, top, side } = shownSquare(box, picture, MARGIN);
        const image = new WindowedImage(picture).render(LIVER_WINDOW, false);
        const context = canvas.current?.getContext("2d");
        context?.clearRect(0, 0, CROP_PX, CROP_PX);
        context?.drawImage(image, left, top, side, side, 0, 0, CROP_PX, CROP_PX);
      },
      () => undefined, // the viewer reports why a slice cannot be shown
    );
    return () => {
      shown = false;
    };
  }, [place, store]);
  return <canvas ref={canvas} className="crop" width={CROP_PX} height={CROP_PX} aria-hidden="true" />;
}

/** Of its outline or of the models in the key slice, else around its axes. */
export function boxOf({ measurement: { long_axis, short_axis }, model, changed }: Finding) {
  const box = changed.includes("outline") ? undefined : model?.boxes.find(({ slice }) => slice === long_axis.slice);
  if (box) return box;
  const ends = [long_axis, short_axis].flatMap(({ start_px, end_px }) => [start_px, end_px]);
  const [xs, ys] = [ends.map(([x]) => x), ends.map(([, y]) => y)];
  return { x_min: Math.min(...xs), y_min: Math.min(...ys), x_max: Math.max(...xs), y_max: Math.max(...ys) };
}
