/** Shows one slice or plane with its overlay. Canvas 2D: see docs/decisions/0064. */
import { useMemo, useRef, useState, type PointerEvent } from "react";
import type { Picture } from "../files/picture.ts";
import { useTranslator } from "../i18n/LanguageProvider.tsx";
import type { Translator } from "../i18n/translator.ts";
import type { Display, DisplaySettings, PatientSides } from "./display.ts";
import type { Overlay } from "./drawing.ts";
import { asSent, lineLength, toImage, type Line, type Point, type View } from "./geometry.ts";
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
  /** Before the size of the image in its accessible name. */
  label?: string | undefined;
  /** Of a stack of slices: which one is shown. Each has a measured length of its own. */
  place?: number;
  /** Of a stack of slices: shows the slice that is this many away. Wheel and arrow keys scroll the stack. */
  onStep?: ((steps: number) => void) | undefined;
  /** Of a volume: shows the other planes through a point, in pixels of the image as sent. */
  onPick?: ((point: Point) => void) | undefined;
  /** Shown at the lower left. */
  corner?: readonly string[];
}

const NOTHING: readonly string[] = [];
const NO_LINES: ReadonlyMap<number, Line> = new Map();

export function Viewer(props: ViewerProps) {
  const { picture, display, overlay, settings, onSettings, view, onView, label, place = 0, onStep, onPick, corner = NOTHING } = props;
  const translator = useTranslator();
  const frame = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const [lines, setLines] = useState(NO_LINES);
  const line = lines.get(place);
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
  const onLine = (next: Line | undefined) => setLines((known) => (next ? new Map(known).set(place, next) : without(known, place)));
  const state: ViewerState | undefined =
    view && viewport
      ? { image: display, viewport, view, settings, line, picked: overlay.crosshair, onView: change, onSettings, onLine, onStep, onPick }
      : undefined;
  const { onPointerMove, ...handlers } = useViewerInput(canvas, state);
  function onPointer(event: PointerEvent<HTMLCanvasElement>): void {
    if (view && picture.hounsfield) setPointer(toImage(view, positionOf(event)));
    onPointerMove(event);
  }
  const size = translator.text("image", { width: picture.width, height: picture.height });
  return (
    <div className="frame" ref={frame}>
      <canvas
        ref={canvas}
        tabIndex={0}
        role="img"
        aria-label={label ? `${label}: ${size}` : size}
        aria-describedby="viewer-help"
        className={settings.tool === "move" ? "moving" : "ruling"}
        {...handlers}
        onPointerMove={onPointer}
        onPointerLeave={() => setPointer(undefined)}
      />
      {display.patient_sides ? <p className="unseen">{sidesText(translator, display.patient_sides)}</p> : null}
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

function sidesText(translator: Translator, { left, top, right, bottom }: PatientSides): string {
  const term = (letter: PatientSides["left"]) => translator.term(`side_${letter}`);
  return translator.text("patientSides", { left: term(left), top: term(top), right: term(right), bottom: term(bottom) });
}

function without(lines: ReadonlyMap<number, Line>, place: number): ReadonlyMap<number, Line> {
  return new Map([...lines].filter(([other]) => other !== place));
}

function useRulerText(line: Line | undefined, picture: Picture) {
  const translator = useTranslator();
  return useMemo(() => {
    if (line === undefined) return undefined;
    const { length, unit } = lineLength(line, picture.spacing_mm);
    return { line, text: `${translator.number(length, 1)} ${unit}` };
  }, [line, picture.spacing_mm, translator]);
}

/** The Hounsfield units under the pointer; undefined outside the image. */
function useValueText(pointer: Point | undefined, { width, height, values, hounsfield }: Picture, display: Display) {
  const translator = useTranslator();
  if (pointer === undefined || !hounsfield) return undefined;
  const { x, y } = asSent(display.matrix, pointer);
  const [column, row] = [Math.floor(x), Math.floor(y)];
  const value = column >= 0 && column < width && row >= 0 && row < height ? values[row * width + column] : undefined;
  return value === undefined ? undefined : `${translator.number(value, 0)} HU`;
}
