/** One plane of a volume. Rendered when its own slice changes, or the crosshair in it. */
import { useCallback, useMemo } from "react";
import { ErrorBox } from "../../components/ErrorBox.tsx";
import type { Window } from "../../files/picture.ts";
import type { MessageKey } from "../../i18n/en.ts";
import { useTranslator } from "../../i18n/LanguageProvider.tsx";
import { useVoxel, type Position } from "../../studies/Position.ts";
import type { StudyVolume } from "../../studies/StudyVolume.ts";
import { statedDisplay, type DisplaySettings } from "../../viewer/display.ts";
import type { Point, View } from "../../viewer/geometry.ts";
import { AXIS_OF, fromPlane, lengthOf, PATIENT_SIDES, planeSize, planeSpacing, toPlane, type Plane } from "../../viewer/planes.ts";
import { Viewer } from "../../viewer/Viewer.tsx";
import type { Layers } from "./layers.ts";
import { useOverlay, usePicture } from "./usePlane.ts";

const PLANE_NAMES = { axial: "planeAxial", coronal: "planeCoronal", sagittal: "planeSagittal" } as const satisfies Record<Plane, MessageKey>;

export interface PlanePaneProps {
  volume: StudyVolume;
  position: Position;
  plane: Plane;
  settings: DisplaySettings;
  onSettings(settings: DisplaySettings): void;
  view: View | undefined;
  onView(plane: Plane, view: View): void;
  layers: Layers;
  /** Whether the place that the other planes show is marked. */
  crosshair: boolean;
  /** What it shows, where two are compared; empty otherwise. */
  title: string;
}

export function PlanePane({ volume, position, plane, settings, onSettings, view, onView, layers, crosshair, title }: PlanePaneProps) {
  const translator = useTranslator();
  const shape = volume.result.volume;
  const axis = AXIS_OF[plane];
  const voxel = useVoxel(position);
  const wanted = voxel[axis];
  const { picture, index, error } = usePicture(volume.slices, plane, wanted);
  const { overlay: layered, error: layerError } = useOverlay(volume, plane, index, layers);
  const { x, y } = toPlane(voxel, plane, shape);
  const overlay = useMemo(() => ({ ...layered, crosshair: crosshair ? { x, y } : undefined }), [layered, crosshair, x, y]);
  const display = useMemo(
    () => ({ ...statedDisplay({ ...planeSize(shape, plane), spacing_mm: planeSpacing(shape.spacing_mm, plane) }), patient_sides: PATIENT_SIDES[plane] }),
    [shape, plane],
  );
  const name = translator.text(PLANE_NAMES[plane]);
  const corner = useCorner(title, plane, index, lengthOf(shape, axis), settings.window);
  const onStep = useCallback((steps: number) => position.move({ [axis]: position.current()[axis] + steps }), [position, axis]);
  const onPick = useCallback((point: Point) => position.move(fromPlane(point, plane, position.current(), shape)), [position, plane, shape]);
  const onOwnView = useCallback((next: View) => onView(plane, next), [onView, plane]);
  return (
    <div className={`pane pane-${plane}`} data-plane={plane} data-index={index}>
      <ErrorBox error={error ?? layerError} />
      {picture ? (
        <Viewer
          picture={picture}
          display={display}
          overlay={overlay}
          settings={settings}
          onSettings={onSettings}
          view={view}
          onView={onOwnView}
          label={title ? `${title}, ${name}` : name}
          place={index}
          onStep={onStep}
          onPick={onPick}
          corner={corner}
        />
      ) : (
        <p role="status">{translator.text("loading")}</p>
      )}
    </div>
  );
}

/** Lines of text at the corner. title: empty for none. */
function useCorner(title: string, plane: Plane, index: number, count: number, { width, centre }: Window): string[] {
  const translator = useTranslator();
  return useMemo(() => {
    const position = translator.text("slicePosition", { number: index + 1, count });
    const named = plane === "axial" ? position : `${translator.text(PLANE_NAMES[plane])} ${index + 1}/${count}`;
    return [title, named, translator.text("windowText", { width: Math.round(width), centre: Math.round(centre) })].filter(Boolean);
  }, [translator, title, plane, index, count, width, centre]);
}
