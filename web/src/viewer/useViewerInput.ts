/** Wheel and keys of the viewer; its pointers are in usePointers.ts. */
import { useEffect, useRef, type KeyboardEvent, type RefObject } from "react";
import type { Display, DisplaySettings } from "./display.ts";
import { ARROWS, fittedView, movedView, toImage, zoomedView, type Line, type Point, type Size, type View } from "./geometry.ts";
import { lineAt, rulerAfterKey } from "./ruler.ts";
import { usePointers } from "./usePointers.ts";

const PAN_STEP_PX = 40;
const KEY_ZOOM = 1.25;
const WHEEL_ZOOM = 1.15;
const WINDOW_FACTOR = 1.1;
const LEVEL_STEP = 0.05;
const RULER_STEP_PX = 10;
const CROSSHAIR_STEP_PX = 10;

/** Slices, from the feet to the head. */
const STEPS: Record<string, number> = { ArrowUp: 1, ArrowDown: -1, PageUp: 5, PageDown: -5, Home: -Infinity, End: Infinity };
/** A touchpad sends many small steps, a wheel about a hundred pixels. */
const WHEEL_STEP_PX = 40;
const WHEEL_LINES = 1;

export interface ViewerState {
  image: Display;
  viewport: Size;
  view: View;
  settings: DisplaySettings;
  line: Line | undefined;
  /** The voxel that other planes show, in pixels of the image as sent. */
  picked: Point | undefined;
  onView(change: (view: View) => View): void;
  onSettings(settings: DisplaySettings): void;
  onLine(line: Line | undefined): void;
  /** Of a stack of slices. */
  onStep?: ((steps: number) => void) | undefined;
  /** Of a volume: in pixels of the image as sent. */
  onPick?: ((point: Point) => void) | undefined;
}

/** state: undefined until the viewer has been laid out. */
export function useViewerInput(canvas: RefObject<HTMLCanvasElement | null>, state: ViewerState | undefined) {
  useWheel(canvas, state);
  return { ...usePointers(state), onKeyDown: (event: KeyboardEvent) => state && onKeyDown(event, state) };
}

/** React's wheel listeners are passive and could not keep the page from scrolling. */
function useWheel(canvas: RefObject<HTMLCanvasElement | null>, state: ViewerState | undefined): void {
  const turned = useRef(0);
  useEffect(() => {
    const element = canvas.current;
    if (element === null) return;
    const onWheel = (event: WheelEvent) => {
      event.preventDefault();
      const { left, top } = element.getBoundingClientRect();
      const fixed = { x: event.clientX - left, y: event.clientY - top };
      if (state?.onStep && !event.ctrlKey) state.onStep(wheelSteps(event, turned));
      else state?.onView((view) => zoomedView(view, event.deltaY < 0 ? WHEEL_ZOOM : 1 / WHEEL_ZOOM, fixed));
    };
    element.addEventListener("wheel", onWheel, { passive: false });
    return () => element.removeEventListener("wheel", onWheel);
  }, [canvas, state]);
}

/** Towards the head when the wheel turns away from the user. turned: what was left over, in pixels. */
function wheelSteps({ deltaY, deltaMode }: WheelEvent, turned: RefObject<number>): number {
  if (deltaMode === WHEEL_LINES || Math.abs(deltaY) >= WHEEL_STEP_PX) return -Math.sign(deltaY);
  turned.current += deltaY;
  const steps = Math.trunc(turned.current / WHEEL_STEP_PX);
  turned.current -= steps * WHEEL_STEP_PX;
  return -steps;
}

function onKeyDown(event: KeyboardEvent, state: ViewerState): void {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const action = toolAction(event, state) ?? viewAction(event, state);
  if (action === undefined) return;
  event.preventDefault();
  action();
}

function toolAction(event: KeyboardEvent, state: ViewerState): (() => void) | undefined {
  if (state.settings.tool === "ruler") return rulerAction(event, state);
  return state.settings.tool === "crosshair" ? crosshairAction(event, state) : undefined;
}

function crosshairAction({ key, shiftKey }: KeyboardEvent, { picked, onPick }: ViewerState): (() => void) | undefined {
  const arrow = ARROWS[key];
  if (!arrow || !picked || !onPick) return undefined;
  const step = shiftKey ? CROSSHAIR_STEP_PX : 1;
  return () => onPick({ x: picked.x + arrow.x * step, y: picked.y + arrow.y * step });
}

function rulerAction({ key, shiftKey }: KeyboardEvent, { view, viewport, line, onLine }: ViewerState): (() => void) | undefined {
  const arrow = ARROWS[key];
  if (arrow === undefined && key !== "Enter" && key !== "Escape") return undefined;
  const current = line ?? lineAt(toImage(view, centreOf(viewport)));
  return () => onLine(rulerAfterKey(current, key, arrow, (shiftKey ? 1 : RULER_STEP_PX) / view.zoom));
}

function viewAction({ key, shiftKey }: KeyboardEvent, { image, viewport, settings, onView, onSettings, onStep, onPick }: ViewerState) {
  const arrow = ARROWS[key];
  const steps = shiftKey ? undefined : STEPS[key];
  if (onStep && steps !== undefined) return () => onStep(steps);
  if (arrow !== undefined) return () => onView((view) => movedView(view, -PAN_STEP_PX * arrow.x, -PAN_STEP_PX * arrow.y));
  const { window } = settings;
  const zoom = (factor: number) => onView((view) => zoomedView(view, factor, centreOf(viewport)));
  const setWidth = (factor: number) => onSettings({ ...settings, window: { ...window, width: Math.max(1, window.width * factor) } });
  const moveCentre = (step: number) => onSettings({ ...settings, window: { ...window, centre: window.centre + window.width * step } });
  const actions: Record<string, () => void> = {
    "+": () => zoom(KEY_ZOOM),
    "=": () => zoom(KEY_ZOOM),
    "-": () => zoom(1 / KEY_ZOOM),
    "0": () => onView(() => fittedView(image, viewport)),
    "[": () => setWidth(1 / WINDOW_FACTOR),
    "]": () => setWidth(WINDOW_FACTOR),
    ",": () => moveCentre(-LEVEL_STEP),
    ".": () => moveCentre(LEVEL_STEP),
    i: () => onSettings({ ...settings, inverted: !settings.inverted }),
    r: () => onSettings({ ...settings, tool: settings.tool === "ruler" ? "move" : "ruler" }),
    ...(onPick ? { c: () => onSettings({ ...settings, tool: settings.tool === "crosshair" ? "move" : "crosshair" }) } : {}),
  };
  return actions[key] ?? actions[key.toLowerCase()];
}

function centreOf(viewport: Size): Point {
  return { x: viewport.width / 2, y: viewport.height / 2 };
}
