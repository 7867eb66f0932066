/** Draws the outline of a lesion on one slice: by clicks, by drawing with the button held down, or by keys. */
import { useEffect, useMemo, useRef, useState, type KeyboardEvent, type PointerEvent } from "react";
import type { Picture, Window } from "../files/picture.ts";
import { ARROWS, type Box, type Point } from "./geometry.ts";
import { clampedPoint, shownSquare, withCorner, type Corners } from "./outline.ts";
import { positionOf } from "./usePointers.ts";
import { WindowedImage } from "./WindowedImage.ts";

const CANVAS_PX = 640;
const MARGIN = 3;
const ZOOM_STEP = 1.5;
const MARGIN_MIN = 1.2;
const MARGIN_MAX = 40;
/** Between two corners while the button is held down, in pixels of the canvas. */
const STROKE_PX = 10;
const CORNER_PX = 3;
const CROSS_PX = 9;
const OUTLINE_COLOUR = "#ffe66b";
const BOX_COLOUR = "#5ad1ff";
const SLICES: Record<string, number> = { PageUp: 1, PageDown: -1 };

interface OutlineCanvasProps {
  picture: Picture;
  window: Window;
  /** Around what is outlined; the whole slice without it. */
  box: Box | undefined;
  corners: Corners;
  onCorners(corners: Corners): void;
  onStep(slices: number): void;
  label: string;
  describedBy: string;
}

export function OutlineCanvas({ picture, window, box, corners, onCorners, onStep, label, describedBy }: OutlineCanvasProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [margin, setMargin] = useState(MARGIN);
  const frame = useMemo(
    () => box ?? { x_min: picture.width / 3, y_min: picture.height / 3, x_max: (2 * picture.width) / 3, y_max: (2 * picture.height) / 3 },
    [box, picture.width, picture.height],
  );
  const square = useMemo(() => shownSquare(frame, picture, margin), [frame, picture, margin]);
  const [cross, setCross] = useState<Point>();
  const centre = { x: square.left + square.side / 2, y: square.top + square.side / 2 };
  // Several pointers may move between two renderings.
  const latest = useRef(corners);
  latest.current = corners;
  useEffect(() => {
    const context = canvas.current?.getContext("2d");
    if (context) draw(context, picture, window, square, box, corners, cross);
  }, [picture, window, square, box, corners, cross]);

  function add(point: Point, distance = 0): void {
    latest.current = withCorner(latest.current, clampedPoint(point, picture), distance);
    onCorners(latest.current);
  }
  function onPointer(event: PointerEvent<HTMLCanvasElement>, distance: number): void {
    const { width } = event.currentTarget.getBoundingClientRect();
    const scale = square.side / width;
    const { x, y } = positionOf(event);
    add({ x: square.left + x * scale, y: square.top + y * scale }, distance);
  }
  function onKeyDown(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const arrow = ARROWS[event.key];
    const slices = SLICES[event.key];
    const at = cross ?? centre;
    const step = event.shiftKey ? 5 : 1;
    const zoom = (factor: number) => setMargin(Math.min(MARGIN_MAX, Math.max(MARGIN_MIN, margin * factor)));
    const actions: Record<string, () => void> = {
      Enter: () => add(at),
      Backspace: () => onCorners(corners.slice(0, -1)),
      "+": () => zoom(1 / ZOOM_STEP),
      "=": () => zoom(1 / ZOOM_STEP),
      "-": () => zoom(ZOOM_STEP),
    };
    const action = arrow
      ? () => setCross(clampedPoint({ x: at.x + arrow.x * step, y: at.y + arrow.y * step }, picture))
      : slices === undefined
        ? actions[event.key]
        : () => onStep(slices);
    if (action === undefined) return;
    event.preventDefault();
    action();
  }
  return (
    <canvas
      ref={canvas}
      width={CANVAS_PX}
      height={CANVAS_PX}
      tabIndex={0}
      role="application"
      aria-label={label}
      aria-describedby={describedBy}
      className="outline-canvas ruling"
      onKeyDown={onKeyDown}
      onPointerDown={(event) => {
        if (event.button !== 0) return;
        event.currentTarget.setPointerCapture(event.pointerId);
        setCross(undefined);
        onPointer(event, 0);
      }}
      onPointerMove={(event) => {
        if (event.buttons === 1) onPointer(event, (STROKE_PX * square.side) / CANVAS_PX);
      }}
    />
  );
}

function draw(
  context: CanvasRenderingContext2D,
  picture: Picture,
  window: Window,
  { left, top, side }: ReturnType<typeof shownSquare>,
  box: Box | undefined,
  corners: Corners,
  cross: Point | undefined,
): void {
  const scale = CANVAS_PX / side;
  const [x, y] = [(value: number) => (value - left) * scale, (value: number) => (value - top) * scale];
  context.fillStyle = "#000";
  context.fillRect(0, 0, CANVAS_PX, CANVAS_PX);
  context.imageSmoothingEnabled = true;
  const image = new WindowedImage(picture).render(window, false);
  context.drawImage(image, x(0), y(0), picture.width * scale, picture.height * scale);
  context.lineWidth = 2;
  if (box && corners.length === 0) {
    context.setLineDash([6, 4]);
    context.strokeStyle = BOX_COLOUR;
    context.strokeRect(x(box.x_min), y(box.y_min), (box.x_max - box.x_min) * scale, (box.y_max - box.y_min) * scale);
    context.setLineDash([]);
  }
  context.strokeStyle = context.fillStyle = OUTLINE_COLOUR;
  context.beginPath();
  for (const corner of corners) context.lineTo(x(corner.x), y(corner.y));
  context.closePath();
  context.stroke();
  for (const corner of corners) context.fillRect(x(corner.x) - CORNER_PX, y(corner.y) - CORNER_PX, 2 * CORNER_PX, 2 * CORNER_PX);
  if (!cross) return;
  context.strokeStyle = "#fff";
  context.beginPath();
  context.moveTo(x(cross.x) - CROSS_PX, y(cross.y));
  context.lineTo(x(cross.x) + CROSS_PX, y(cross.y));
  context.moveTo(x(cross.x), y(cross.y) - CROSS_PX);
  context.lineTo(x(cross.x), y(cross.y) + CROSS_PX);
  context.stroke();
}
