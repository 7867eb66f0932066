/** Mouse, touch, wheel and keys of the viewer. */
import { useEffect, useRef, type KeyboardEvent, type PointerEvent, type RefObject } from "react";
import type { DisplaySettings } from "./display.ts";
import { fittedView, movedView, toImage, zoomedView, type Line, type Point, type Size, type View } from "./geometry.ts";
import { lineAt, rulerAfterKey } from "./ruler.ts";

const PAN_STEP_PX = 40;
const KEY_ZOOM = 1.25;
const WHEEL_ZOOM = 1.15;
const WINDOW_FACTOR = 1.1;
const LEVEL_STEP = 0.05;
const RULER_STEP_PX = 10;
const ARROWS: Record<string, Point> = {
  ArrowLeft: { x: -1, y: 0 },
  ArrowRight: { x: 1, y: 0 },
  ArrowUp: { x: 0, y: -1 },
  ArrowDown: { x: 0, y: 1 },
};

export interface ViewerState {
  image: Size;
  viewport: Size;
  view: View;
  settings: DisplaySettings;
  line: Line | undefined;
  onView(view: View): void;
  onSettings(settings: DisplaySettings): void;
  onLine(line: Line | undefined): void;
}

/** state: undefined until the viewer has been laid out. */
export function useViewerInput(canvas: RefObject<HTMLCanvasElement | null>, state: ViewerState | undefined) {
  useWheelZoom(canvas, state);
  return { ...usePointer(state), onKeyDown: (event: KeyboardEvent) => state && onKeyDown(event, state) };
}

function usePointer(state: ViewerState | undefined) {
  const previous = useRef<Point>(null);
  function onPointerDown(event: PointerEvent<HTMLCanvasElement>): void {
    event.currentTarget.setPointerCapture(event.pointerId);
    previous.current = positionOf(event);
    if (state?.settings.ruler) state.onLine(lineAt(toImage(state.view, previous.current)));
  }
  function onPointerMove(event: PointerEvent<HTMLCanvasElement>): void {
    if (previous.current === null || !state) return;
    const { x, y } = positionOf(event);
    if (state.settings.ruler && state.line) state.onLine({ ...state.line, to: toImage(state.view, { x, y }) });
    else if (!state.settings.ruler) state.onView(movedView(state.view, x - previous.current.x, y - previous.current.y));
    previous.current = { x, y };
  }
  function onPointerUp(): void {
    previous.current = null;
  }
  return { onPointerDown, onPointerMove, onPointerUp };
}

function positionOf(event: { clientX: number; clientY: number; currentTarget: Element }): Point {
  const { left, top } = event.currentTarget.getBoundingClientRect();
  return { x: event.clientX - left, y: event.clientY - top };
}

/** React's wheel listeners are passive and could not keep the page from scrolling. */
function useWheelZoom(canvas: RefObject<HTMLCanvasElement | null>, state: ViewerState | undefined): void {
  useEffect(() => {
    const element = canvas.current;
    if (element === null) return;
    const onWheel = (event: WheelEvent) => {
      event.preventDefault();
      const { left, top } = element.getBoundingClientRect();
      const fixed = { x: event.clientX - left, y: event.clientY - top };
      if (state) state.onView(zoomedView(state.view, event.deltaY < 0 ? WHEEL_ZOOM : 1 / WHEEL_ZOOM, fixed));
    };
    element.addEventListener("wheel", onWheel, { passive: false });
    return () => element.removeEventListener("wheel", onWheel);
  }, [canvas, state]);
}

function onKeyDown(event: KeyboardEvent, state: ViewerState): void {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const action = state.settings.ruler ? (rulerAction(event, state) ?? viewAction(event, state)) : viewAction(event, state);
  if (action === undefined) return;
  event.preventDefault();
  action();
}

function rulerAction({ key, shiftKey }: KeyboardEvent, { view, viewport, line, onLine }: ViewerState): (() => void) | undefined {
  const arrow = ARROWS[key];
  if (arrow === undefined && key !== "Enter" && key !== "Escape") return undefined;
  const current = line ?? lineAt(toImage(view, centreOf(viewport)));
  return () => onLine(rulerAfterKey(current, key, arrow, (shiftKey ? 1 : RULER_STEP_PX) / view.zoom));
}

function viewAction({ key }: KeyboardEvent, { image, viewport, view, settings, onView, onSettings }: ViewerState) {
  const arrow = ARROWS[key];
  if (arrow !== undefined) return () => onView(movedView(view, -PAN_STEP_PX * arrow.x, -PAN_STEP_PX * arrow.y));
  const { window } = settings;
  const zoom = (factor: number) => onView(zoomedView(view, factor, centreOf(viewport)));
  const setWidth = (factor: number) => onSettings({ ...settings, window: { ...window, width: Math.max(1, window.width * factor) } });
  const moveCentre = (step: number) => onSettings({ ...settings, window: { ...window, centre: window.centre + window.width * step } });
  const actions: Record<string, () => void> = {
    "+": () => zoom(KEY_ZOOM),
    "=": () => zoom(KEY_ZOOM),
    "-": () => zoom(1 / KEY_ZOOM),
    "0": () => onView(fittedView(image, viewport)),
    "[": () => setWidth(1 / WINDOW_FACTOR),
    "]": () => setWidth(WINDOW_FACTOR),
    ",": () => moveCentre(-LEVEL_STEP),
    ".": () => moveCentre(LEVEL_STEP),
    i: () => onSettings({ ...settings, inverted: !settings.inverted }),
    r: () => onSettings({ ...settings, ruler: !settings.ruler }),
  };
  return actions[key] ?? actions[key.toLowerCase()];
}

function centreOf(viewport: Size): Point {
  return { x: viewport.width / 2, y: viewport.height / 2 };
}
