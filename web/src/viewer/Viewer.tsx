/** Shows one slice with its overlay. Canvas 2D: see docs/decisions/0017. */
import { useMemo, useRef, useState, type PointerEvent } from "react";
import type { Picture } from "../files/picture.ts";
import { useTranslator } from "../i18n/LanguageProvider.tsx";
import type { Display, DisplaySettings } from "./display.ts";
import type { Overlay } from "./drawing.ts";
import { lineLength, toImage, type Line, type Point, type View } from "./geometry.ts";
import { useCanvas } from "./useCanvas.ts";
import { positionOf } from "./usePointers.ts";
import { useViewerInput, type ViewerState } from "./useViewerInput.ts";
import { useElementSize, useFit } from "./useViewport.ts";

interface ViewerProps {
  picture: Picture;
  display: Display;
  overlay: Overlay;
  settings: DisplaySettings;
  onSettings(settings: DisplaySettings): void;
  view: View | undefined;
  onView(view: View): void;
  /** Of a stack of slices: shows the slice that is this many away. Wheel and arrow keys scroll the stack. */
  onStep?: ((steps: number) => void) | undefined;
  /** Shown at the lower left. */
  corner?: readonly string[];
}

const NOTHING: readonly string[] = [];

export function Viewer({ picture, display, overlay, settings, onSettings, view, onView, onStep, corner = NOTHING }: ViewerProps) {
  const translator = useTranslator();
  const frame = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const [line, setLine] = useState<Line>();
  const [pointer, setPointer] = useState<Point>();
  const viewport = useElementSize(frame);
  useFit(display, viewport, view, onView);
  const ruler = useRulerText(line, picture);
  const value = useValueText(pointer, picture, display);
  const corners = useMemo(() => (value ? [value, ...corner] : corner), [value, corner]);
  const { window, inverted } = settings;
  useCanvas(canvas, { picture, display, window, inverted, overlay, view, viewport, ruler, corner: corners });
  // Several pointers may move between two renderings.
  const latest = useRef(view);
  latest.current = view;
  function change(next: (view: View) => View): void {
    if (latest.current) onView((latest.current = next(latest.current)));
  }
  const state: ViewerState | undefined =
    view && viewport ? { image: display, viewport, view, settings, line, onView: change, onSettings, onLine: setLine, onStep } : undefined;
  const { onPointerMove, ...handlers } = useViewerInput(canvas, state);
  function onPointer(event: PointerEvent<HTMLCanvasElement>): void {
    if (view && picture.hounsfield) setPointer(toImage(view, positionOf(event)));
    onPointerMove(event);
  }
  return (
    <div className="frame" ref={frame}>
      <canvas
        ref={canvas}
        tabIndex={0}
        role="img"
        aria-label={translator.text("image", { width: picture.width, height: picture.height })}
        aria-describedby="viewer-help"
        className={settings.ruler ? "ruling" : "moving"}
        {...handlers}
        onPointerMove={onPointer}
        onPointerLeave={() => setPointer(undefined)}
      />
      {display.patient_sides ? <p className="unseen">{translator.text("patientSides")}</p> : null}
      <p className="unseen" role="status">
        {ruler ? `${translator.text("ruler")}: ${ruler.text}` : ""}
      </p>
      <ol className="unseen">
        {overlay.boxes.map((box, index) => (
          <li key={index}>{box.description}</li>
        ))}
      </ol>
    </div>
  );
}

function useRulerText(line: Line | undefined, picture: Picture) {
  const translator = useTranslator();
  return useMemo(() => {
    if (line === undefined) return undefined;
    const { length, unit } = lineLength(line, picture.spacing_mm);
    return { line, text: `${translator.number(length, 1)} ${unit}` };
  }, [line, picture, translator]);
}

/** The Hounsfield units under the pointer; undefined outside the image. */
function useValueText(pointer: Point | undefined, { width, height, values, hounsfield }: Picture, { matrix }: Display) {
  const translator = useTranslator();
  if (pointer === undefined || !hounsfield) return undefined;
  const { x, y } = new DOMMatrix(matrix as number[]).inverse().transformPoint(pointer);
  const [column, row] = [Math.floor(x), Math.floor(y)];
  const value = column >= 0 && column < width && row >= 0 && row < height ? values[row * width + column] : undefined;
  return value === undefined ? undefined : `${translator.number(value, 0)} HU`;
}
