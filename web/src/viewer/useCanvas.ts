import { useEffect, useMemo, useRef, type RefObject } from "react";
import type { Picture, Window } from "../files/picture.ts";
import type { Display } from "./display.ts";
import { drawBox, drawCaptions, drawCorner, drawCrosshair, drawDiameter, drawRuler, drawSides, mapCanvas, type Overlay } from "./drawing.ts";
import type { Line, Size, View } from "./geometry.ts";
import { LabelImage } from "./LabelImage.ts";
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

/** Draws the scene in the next frame whenever a part of it changes: several changes between two frames are drawn once. */
export function useCanvas(canvas: RefObject<HTMLCanvasElement | null>, scene: Scene): void {
  const { picture, display, window, inverted, overlay, view, viewport, ruler, corner } = scene;
  const image = useRef<WindowedImage>(undefined);
  const labels = useRef<LabelImage>(undefined);
  const map = useMemo(() => (overlay.map ? mapCanvas(overlay.map) : undefined), [overlay.map]);
  useEffect(() => {
    if (!view || !viewport) return;
    const frame = requestAnimationFrame(() => {
      const context = prepare(canvas.current, viewport);
      if (!context) return;
      image.current = image.current?.show(picture) ?? new WindowedImage(picture);
      labels.current ??= new LabelImage();
      context.save();
      context.translate(view.left, view.top);
      context.scale(view.zoom, view.zoom);
      context.save();
      context.transform(...display.matrix);
      context.imageSmoothingEnabled = view.zoom < SHARP_ZOOM;
      context.drawImage(image.current.render(window, inverted), 0, 0);
      context.imageSmoothingEnabled = false;
      context.globalAlpha = overlay.maskOpacity ?? 1;
      if (overlay.masks) context.drawImage(labels.current.render(overlay.masks), 0, 0);
      context.globalAlpha = overlay.opacity;
      context.imageSmoothingEnabled = true;
      if (map) context.drawImage(map, 0, 0, picture.width, picture.height);
      context.restore();
      for (const box of overlay.boxes) drawBox(context, display, box, view.zoom);
      for (const line of overlay.lines ?? []) drawDiameter(context, display, line, view.zoom);
      if (overlay.crosshair) drawCrosshair(context, display, overlay.crosshair, view.zoom);
      drawCaptions(context, display, overlay.boxes, view.zoom);
      if (ruler) drawRuler(context, ruler.line, ruler.text, view.zoom);
      context.restore();
      const cornerEnd = drawCorner(context, corner, viewport);
      if (display.patient_sides) drawSides(context, display.patient_sides, viewport, cornerEnd);
    });
    return () => cancelAnimationFrame(frame);
  }, [canvas, display, window, inverted, map, overlay, view, viewport, ruler, corner, picture]);
}

/** The canvas in the resolution of the screen, black. */
function prepare(canvas: HTMLCanvasElement | null, viewport: Size): CanvasRenderingContext2D | null {
  const context = canvas?.getContext("2d", { alpha: false });
  if (!canvas || !context) return null;
  const [width, height] = [Math.round(viewport.width * devicePixelRatio), Math.round(viewport.height * devicePixelRatio)];
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  context.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
  context.setLineDash([]);
  context.globalAlpha = 1;
  context.fillStyle = "#000";
  context.fillRect(0, 0, viewport.width, viewport.height);
  return context;
}
