/** What is laid over a plane, and where it lies there. */
import type { Finding, Lesion, StudyModelAnswers } from "../../api.ts";
import type { Translator } from "../../i18n/translator.ts";
import { lesionSentence } from "../../studies/words.ts";
import { modelName } from "../../modelName.ts";
import type { OverlayBox } from "../../viewer/drawing.ts";
import type { Line } from "../../viewer/geometry.ts";
import { boxInPlane, type Plane, type Voxel, type VolumeShape } from "../../viewer/planes.ts";
import { judgedBox } from "./readerLayer.ts";

export interface Layers {
  boxes: boolean;
  axes: boolean;
  masks: boolean;
  /** 0 to 1. */
  maskOpacity: number;
  /** A classifier, or all together; empty for none. */
  map: string;
  /** 0 to 1. */
  mapOpacity: number;
  /** Detectors whose own boxes are shown. */
  detectors: readonly string[];
}

export const INITIAL_LAYERS: Layers = { boxes: true, axes: true, masks: false, maskOpacity: 0.5, map: "", mapOpacity: 0.4, detectors: [] };

const DETECTOR_COLOURS = ["#f7a8ff", "#9dff8a", "#ffffff", "#ff7f6e", "#b9a6ff"];

export function detectorColour(number: number): string {
  return DETECTOR_COLOURS[number % DETECTOR_COLOURS.length]!;
}

/** findings: of the same lesions, as readers left them. */
export function lesionBoxes(
  translator: Translator,
  lesions: readonly Lesion[],
  findings: readonly Finding[],
  plane: Plane,
  index: number,
  shape: VolumeShape,
): OverlayBox[] {
  return lesions.flatMap((lesion) => {
    const box = boxInPlane(lesion.boxes, plane, index, shape);
    if (!box) return [];
    const label = lesion.label ?? lesion.boxes[0]?.label ?? "";
    const answer = { ...box, label, caption: `${lesion.id} ${translator.probability(lesion.probability)}`, description: lesionSentence(translator, lesion) };
    return [judgedBox(translator, answer, findings.find(({ id }) => id === lesion.id))];
  });
}

/** Of single detectors, before they were fused. all: the names of all detectors, whose order gives the colours. */
export function detectorBoxes(
  translator: Translator,
  { slices }: StudyModelAnswers,
  shown: readonly string[],
  all: readonly string[],
  plane: Plane,
  index: number,
  shape: VolumeShape,
): OverlayBox[] {
  return slices.flatMap((slice) =>
    plane === "axial" && slice.slice !== index
      ? []
      : slice.boxes.flatMap((found) => {
          const detector = found.detectors[0] ?? "";
          const box = shown.includes(detector) ? boxInPlane([found], plane, index, shape) : undefined;
          if (!box) return [];
          const text = `${modelName(translator, detector)} ${translator.probability(found.score)}`;
          const caption = plane === "axial" ? text : "";
          return [{ ...box, label: found.label, caption, description: text, colour: detectorColour(all.indexOf(detector)) }];
        }),
  );
}

/** Diameters lie in axial slices. */
export function diameters(lesions: readonly Lesion[], plane: Plane, index: number): Line[] {
  if (plane !== "axial") return [];
  return lesions
    .flatMap(({ long_axis, short_axis }) => [long_axis, short_axis])
    .filter(({ slice }) => slice === index)
    .map(({ start_px, end_px }) => ({ from: { x: start_px[0], y: start_px[1] }, to: { x: end_px[0], y: end_px[1] } }));
}

/** The middle of a lesion's long axis. */
export function voxelOf({ long_axis: { slice, start_px, end_px } }: Lesion): Voxel {
  return { slice, column: Math.floor((start_px[0] + end_px[0]) / 2), row: Math.floor((start_px[1] + end_px[1]) / 2) };
}

/** The lesion with the nearest key slice above (1) or below (-1); undefined if there is none. */
export function nextFinding(lesions: readonly Lesion[], index: number, direction: number): Lesion | undefined {
  return lesions
    .toSorted((one, other) => (one.key_slice - other.key_slice) * direction)
    .find(({ key_slice }) => (key_slice - index) * direction > 0);
}
