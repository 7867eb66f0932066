/** Mouse and touch of the viewer: one pointer moves, two pinch, the right button sets the window. */
import { useRef, type MouseEvent, type PointerEvent } from "react";
import { asSent, movedView, pinchedView, toImage, type Point } from "./geometry.ts";
import { lineAt } from "./ruler.ts";
import type { ViewerState } from "./useViewerInput.ts";

const RIGHT_BUTTON = 2;
const HU_PER_PX = 2;

export function usePointers(state: ViewerState | undefined) {
  const pointers = useRef(new Map<number, Point>());
  const windowing = useRef(false);

  function onPointerDown(event: PointerEvent<HTMLCanvasElement>): void {
    event.currentTarget.setPointerCapture(event.pointerId);
    const position = positionOf(event);
    pointers.current.set(event.pointerId, position);
    windowing.current = event.button === RIGHT_BUTTON;
    if (!state || windowing.current) return;
    if (state.settings.tool === "ruler") state.onLine(lineAt(toImage(state.view, position)));
    if (state.settings.tool === "crosshair") pick(state, position);
  }

  function onPointerMove(event: PointerEvent<HTMLCanvasElement>): void {
    const from = pointers.current.get(event.pointerId);
    if (from === undefined || !state) return;
    const to = positionOf(event);
    const [other] = [...pointers.current].filter(([id]) => id !== event.pointerId).map(([, position]) => position);
    pointers.current.set(event.pointerId, to);
    if (other !== undefined) state.onView((view) => pinchedView(view, [from, other], [to, other]));
    else if (windowing.current) state.onSettings(windowedSettings(state.settings, to.x - from.x, to.y - from.y));
    else if (state.settings.tool === "crosshair") pick(state, to);
    else if (state.settings.tool === "move") state.onView((view) => movedView(view, to.x - from.x, to.y - from.y));
    else if (state.line) state.onLine({ ...state.line, to: toImage(state.view, to) });
  }

  function onPointerUp(event: PointerEvent<HTMLCanvasElement>): void {
    pointers.current.delete(event.pointerId);
  }

  const onContextMenu = (event: MouseEvent) => event.preventDefault();
  return { onPointerDown, onPointerMove, onPointerUp, onPointerCancel: onPointerUp, onContextMenu };
}

function pick({ view, image, onPick }: ViewerState, screen: Point): void {
  onPick?.(asSent(image.matrix, toImage(view, screen)));
}

/** In CSS pixels of the element. */
export function positionOf(event: { clientX: number; clientY: number; currentTarget: Element }): Point {
  const { left, top } = event.currentTarget.getBoundingClientRect();
  return { x: event.clientX - left, y: event.clientY - top };
}

/** To the right widens the window, down raises its level. */
function windowedSettings(settings: ViewerState["settings"], x: number, y: number): ViewerState["settings"] {
  const { width, centre } = settings.window;
  return { ...settings, window: { width: Math.max(1, width + x * HU_PER_PX), centre: centre + y * HU_PER_PX } };
}
