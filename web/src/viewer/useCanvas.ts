import { useEffect, useMemo, type RefObject } from "react";
import type { Picture, Window } from "../files/picture.ts";
import type { Display } from "./display.ts";
import { drawBox, drawCorner, drawDiameter, drawRuler, drawSides, mapCanvas, type Overlay } from "./drawing.ts";
import type { Line, Size, View } from "./geometry.ts";
import { WindowedImage } from "./WindowedImage.ts";

/** Pixels are shown as squares from this zoom. */
const SHARP_ZOOM = 4;

interface Scene {
  picture: Picture;
  display: Display;
  window: Window;
  inverted: boolean;
  overlay: Overlay;
  view: View | undefined;
  viewport: Size | undefined;
  ruler: { line: Line; text: string } | undefined;
  corner: readonly string[];
}

/** Draws the scene whenever a part of it changes. */
export function useCanvas(canvas: RefObject<HTMLCanvasElement | null>, scene: Scene): void {
  const { picture, display, window, inverted, overlay, view, viewport, ruler, corner } = scene;
  const image = useMemo(() => new WindowedImage(picture), [picture]);
  const map = useMemo(() => (overlay.map ? mapCanvas(overlay.map) : undefined), [overlay.map]);
  useEffect(() => {
    if (!view || !viewport) return;
    const context = prepare(canvas.current, viewport);
    if (!context) return;
    context.save();
    context.translate(view.left, view.top);
    context.scale(view.zoom, view.zoom);
    context.save();
    context.transform(...display.matrix);
    context.imageSmoothingEnabled = view.zoom < SHARP_ZOOM;
    context.drawImage(image.render(window, inverted), 0, 0);
    context.globalAlpha = overlay.opacity;
    if (overlay.masks) context.drawImage(overlay.masks, 0, 0);
    context.imageSmoothingEnabled = true;
    if (map) context.drawImage(map, 0, 0, picture.width, picture.height);
    context.restore();
    for (const box of overlay.boxes) drawBox(context, display, box, view.zoom);
    for (const line of overlay.lines ?? []) drawDiameter(context, display, line, view.zoom);
    if (ruler) drawRuler(context, ruler.line, ruler.text, view.zoom);
    context.restore();
    if (display.patient_sides) drawSides(context, display.patient_sides, viewport);
    drawCorner(context, corner, viewport);
  }, [canvas, image, display, window, inverted, map, overlay, view, viewport, ruler, corner, picture]);
}

/** The canvas in the resolution of the screen, black. */
function prepare(canvas: HTMLCanvasElement | null, viewport: Size): CanvasRenderingContext2D | null {
  const context = canvas?.getContext("2d");
  if (!canvas || !context) return null;
  canvas.width = Math.round(viewport.width * devicePixelRatio);
  canvas.height = Math.round(viewport.height * devicePixelRatio);
  context.scale(devicePixelRatio, devicePixelRatio);
  context.fillStyle = "#000";
  context.fillRect(0, 0, viewport.width, viewport.height);
  return context;
}
