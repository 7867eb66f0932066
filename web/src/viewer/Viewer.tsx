/** One slice: window and level, zoom, pan, ruler, boxes and where the networks looked. Canvas 2D: docs/decisions/0017. */
import { useEffect, useLayoutEffect, useMemo, useRef, useState, type KeyboardEvent, type PointerEvent } from "react";
import { labelled, useSay } from "../i18n.tsx";
import type { Picture } from "../pictures.ts";
import type { Detection } from "../session.tsx";
import { fitted, measured, moved, toImage, zoomed, type Point, type View } from "./geometry.ts";
import { Slice } from "./slice.ts";

type Box = Detection["boxes"][number];

export interface Shown {
  boxes: readonly Box[];
  /** Rows over the image's height of columns over its width, 0..1. */
  map?: readonly (readonly number[])[] | undefined;
  opacity: number;
}

interface Props {
  picture: Picture;
  shown: Shown;
  window: Picture["window"];
  inverted: boolean;
  ruling: boolean;
  onWindow(window: Picture["window"]): void;
  onInvert(): void;
  onRuling(): void;
  view: View | undefined;
  onView(view: View): void;
}

const STEP = 40;
const ARROWS: Record<string, Point> = {
  ArrowLeft: { x: -1, y: 0 },
  ArrowRight: { x: 1, y: 0 },
  ArrowUp: { x: 0, y: -1 },
  ArrowDown: { x: 0, y: 1 },
};

export function Viewer(props: Props) {
  const { picture, shown, window, inverted, ruling, view, onView } = props;
  const say = useSay();
  const frame = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const drag = useRef<Point>(null);
  const [line, setLine] = useState<Ruled>();
  const [room, setRoom] = useState({ width: 1, height: 1 });

  const slice = useMemo(() => new Slice(picture), [picture]);
  const heat = useMemo(() => (shown.map ? heatOf(shown.map) : undefined), [shown.map]);

  useLayoutEffect(() => {
    const element = frame.current;
    if (element === null) return;
    const observer = new ResizeObserver(() => setRoom({ width: element.clientWidth, height: element.clientHeight }));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  useEffect(() => {
    if (room.width > 1) onView(fitted(picture.width, picture.height, room));
  }, [room, picture, onView]);
  useEffect(() => {
    if (view === undefined && room.width > 1) onView(fitted(picture.width, picture.height, room));
  }, [view, room, picture, onView]);
  useEffect(() => {
    const element = canvas.current;
    if (element === null) return;
    const wheel = (event: WheelEvent) => {
      event.preventDefault();
      const place = element.getBoundingClientRect();
      const at = { x: event.clientX - place.left, y: event.clientY - place.top };
      if (view) onView(zoomed(view, event.deltaY < 0 ? 1.15 : 1 / 1.15, at));
    };
    element.addEventListener("wheel", wheel, { passive: false });
    return () => element.removeEventListener("wheel", wheel);
  }, [view, onView]);

  useEffect(() => {
    const element = canvas.current;
    const context = element?.getContext("2d");
    if (!element || !context || !view) return;
    const ratio = devicePixelRatio;
    element.width = Math.round(room.width * ratio);
    element.height = Math.round(room.height * ratio);
    context.scale(ratio, ratio);
    context.fillStyle = "#000";
    context.fillRect(0, 0, room.width, room.height);
    context.translate(view.left, view.top);
    context.scale(view.zoom, view.zoom);
    context.imageSmoothingEnabled = view.zoom < 4;
    context.drawImage(slice.through(window, inverted), 0, 0);
    if (heat && shown.opacity > 0) {
      context.globalAlpha = shown.opacity;
      context.imageSmoothingEnabled = true;
      context.drawImage(heat, 0, 0, picture.width, picture.height);
      context.globalAlpha = 1;
    }
    for (const [index, box] of shown.boxes.entries()) drawBox(context, box, index + 1, view.zoom);
    if (line) drawLine(context, line, view.zoom, picture.spacingMm);
  }, [slice, window, inverted, heat, shown, view, room, line, picture]);

  function at(event: PointerEvent): Point {
    const place = event.currentTarget.getBoundingClientRect();
    return { x: event.clientX - place.left, y: event.clientY - place.top };
  }
  function down(event: PointerEvent<HTMLCanvasElement>) {
    event.currentTarget.setPointerCapture(event.pointerId);
    drag.current = at(event);
    if (ruling && view) {
      const point = toImage(view, at(event));
      setLine(startAt(point));
    }
  }
  function move(event: PointerEvent<HTMLCanvasElement>) {
    if (drag.current === null || !view) return;
    const here = at(event);
    if (ruling) setLine((known) => known && { ...known, to: toImage(view, here) });
    else onView(moved(view, here.x - drag.current.x, here.y - drag.current.y));
    drag.current = here;
  }
  function key(event: KeyboardEvent) {
    if (!view || event.ctrlKey || event.metaKey || event.altKey) return;
    const middle = { x: room.width / 2, y: room.height / 2 };
    const arrow = ARROWS[event.key];
    if (ruling && (arrow || event.key === "Enter" || event.key === "Escape")) {
      event.preventDefault();
      setLine((known) => ruled(known ?? startAt(toImage(view, middle)), event.key, arrow, (event.shiftKey ? 1 : 10) / view.zoom));
      return;
    }
    const wider = (by: number) => props.onWindow({ ...window, width: Math.max(1, window.width * by) });
    const acts: Record<string, () => void> = {
      "+": () => onView(zoomed(view, 1.25, middle)),
      "-": () => onView(zoomed(view, 0.8, middle)),
      "0": () => onView(fitted(picture.width, picture.height, room)),
      "[": () => wider(0.9),
      "]": () => wider(1.1),
      ",": () => props.onWindow({ ...window, centre: window.centre - window.width * 0.05 }),
      ".": () => props.onWindow({ ...window, centre: window.centre + window.width * 0.05 }),
      i: props.onInvert,
      r: props.onRuling,
    };
    if (arrow) acts[event.key] = () => onView(moved(view, -STEP * arrow.x, -STEP * arrow.y));
    const act = acts[event.key] ?? acts[event.key.toLowerCase()];
    if (act === undefined) return;
    event.preventDefault();
    act();
  }

  return (
    <div className="frame" ref={frame}>
      <canvas
        ref={canvas}
        tabIndex={0}
        role="img"
        aria-label={say("image", { width: picture.width, height: picture.height })}
        aria-describedby="viewer-help"
        className={ruling ? "ruling" : "moving"}
        onPointerDown={down}
        onPointerMove={move}
        onPointerUp={() => {
          drag.current = null;
        }}
        onKeyDown={key}
      />
      <p className="unseen" role="status">
        {line ? `${say("ruler")}: ${measured(line.from, line.to, picture.spacingMm)}` : ""}
      </p>
      <ol className="unseen">
        {shown.boxes.map((box, index) => (
          <li key={index}>
            {say("box", {
              number: index + 1,
              label: labelled(say, box.label),
              score: box.score.toFixed(2),
              detectors: box.detectors.join(", "),
              size: sizeOf(box),
            })}
          </li>
        ))}
      </ol>
    </div>
  );
}

interface Ruled {
  from: Point;
  to: Point;
}

function startAt(point: Point): Ruled {
  return { from: point, to: point };
}

/** The ruler after a key: an arrow moves its end by `step` image pixels, Enter begins anew there, Escape removes it. */
function ruled(line: Ruled, key: string, arrow: Point | undefined, step: number): Ruled | undefined {
  if (key === "Escape") return undefined;
  if (arrow === undefined) return startAt(line.to);
  return { ...line, to: { x: line.to.x + arrow.x * step, y: line.to.y + arrow.y * step } };
}

export function sizeOf(box: Box): string {
  const [width, height] = box.size_mm ?? box.size_px;
  return `${width} × ${height} ${box.size_mm ? "mm" : "px"}`;
}

/** Cholangiocarcinoma solid, metastasis dashed: not told by colour alone. */
function drawBox(context: OffscreenCanvasRenderingContext2D | CanvasRenderingContext2D, box: Box, number: number, zoom: number) {
  const first = box.label === "cholangiocarcinoma";
  const text = `${number}: ${box.score.toFixed(2)}`;
  context.lineWidth = 2 / zoom;
  context.setLineDash(first ? [] : [6 / zoom, 4 / zoom]);
  context.strokeStyle = first ? "#ffb454" : "#5ad1ff";
  context.strokeRect(box.x_min, box.y_min, box.x_max - box.x_min, box.y_max - box.y_min);
  context.setLineDash([]);
  context.font = `${13 / zoom}px system-ui, sans-serif`;
  const width = context.measureText(text).width;
  context.fillStyle = "rgb(0 0 0 / 0.75)";
  context.fillRect(box.x_min, box.y_min - 18 / zoom, width + 8 / zoom, 18 / zoom);
  context.fillStyle = "#fff";
  context.fillText(text, box.x_min + 4 / zoom, box.y_min - 5 / zoom);
}

function drawLine(
  context: CanvasRenderingContext2D,
  line: Ruled,
  zoom: number,
  spacing: Picture["spacingMm"],
) {
  context.strokeStyle = context.fillStyle = "#ffe66b";
  context.lineWidth = 2 / zoom;
  context.beginPath();
  context.moveTo(line.from.x, line.from.y);
  context.lineTo(line.to.x, line.to.y);
  context.stroke();
  context.font = `${14 / zoom}px system-ui, sans-serif`;
  context.fillText(measured(line.from, line.to, spacing), line.to.x + 6 / zoom, line.to.y);
}

/** Black to yellow by way of red: readable over grey, and its lightness rises with its value. */
function heatOf(map: readonly (readonly number[])[]): OffscreenCanvas {
  const rows = map.length;
  const columns = map[0]?.length ?? 1;
  const made = new OffscreenCanvas(columns, rows);
  const pixels = new ImageData(columns, rows);
  for (const [row, values] of map.entries()) {
    for (const [column, value] of values.entries()) {
      const spot = (row * columns + column) * 4;
      pixels.data[spot] = Math.min(255, value * 510);
      pixels.data[spot + 1] = Math.max(0, value * 510 - 255);
      pixels.data[spot + 2] = 40 * (1 - value);
      pixels.data[spot + 3] = value * 255;
    }
  }
  made.getContext("2d")?.putImageData(pixels, 0, 0);
  return made;
}
