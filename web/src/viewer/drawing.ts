/** What the viewer draws on its canvas. Coordinates are image pixels; sizes are divided by the zoom to stay constant on screen. */
import type { Box } from "../api.ts";
import type { Line } from "./geometry.ts";

/** Rows over the image's height of columns over its width, 0 to 1. */
export type ActivationMap = readonly (readonly number[])[];

/** What is drawn over the image. */
export interface Overlay {
  boxes: readonly Box[];
  map?: ActivationMap | undefined;
  /** Of the map, 0 to 1. */
  opacity: number;
}

const FONT = "system-ui, sans-serif";
const CHOLANGIOCARCINOMA_COLOUR = "#ffb454";
const METASTASIS_COLOUR = "#5ad1ff";
const RULER_COLOUR = "#ffe66b";

/** Cholangiocarcinoma solid, metastasis dashed: colour is never the only distinction. */
export function drawBox(context: CanvasRenderingContext2D, box: Box, text: string, zoom: number): void {
  const solid = box.label === "cholangiocarcinoma";
  context.lineWidth = 2 / zoom;
  context.setLineDash(solid ? [] : [6 / zoom, 4 / zoom]);
  context.strokeStyle = solid ? CHOLANGIOCARCINOMA_COLOUR : METASTASIS_COLOUR;
  context.strokeRect(box.x_min, box.y_min, box.x_max - box.x_min, box.y_max - box.y_min);
  context.setLineDash([]);
  for (const polygon of box.outline ?? []) drawOutline(context, polygon, zoom);
  context.font = `${13 / zoom}px ${FONT}`;
  const { width } = context.measureText(text);
  context.fillStyle = "rgb(0 0 0 / 0.75)";
  context.fillRect(box.x_min, box.y_min - 18 / zoom, width + 8 / zoom, 18 / zoom);
  context.fillStyle = "#fff";
  context.fillText(text, box.x_min + 4 / zoom, box.y_min - 5 / zoom);
}

/** rings: x and y in image pixels; the outer ring, then the holes. */
function drawOutline(context: CanvasRenderingContext2D, rings: readonly (readonly [number, number])[][], zoom: number): void {
  context.lineWidth = 1.5 / zoom;
  context.beginPath();
  for (const [[x, y] = [0, 0], ...points] of rings) {
    context.moveTo(x, y);
    for (const point of points) context.lineTo(...point);
  }
  context.stroke();
}

export function drawRuler(context: CanvasRenderingContext2D, { from, to }: Line, text: string, zoom: number): void {
  context.strokeStyle = context.fillStyle = RULER_COLOUR;
  context.lineWidth = 2 / zoom;
  context.beginPath();
  context.moveTo(from.x, from.y);
  context.lineTo(to.x, to.y);
  context.stroke();
  context.font = `${14 / zoom}px ${FONT}`;
  context.fillText(text, to.x + 6 / zoom, to.y);
}

/** From black through red to yellow: readable over grey, and lightness rises with the value. */
export function mapCanvas(map: ActivationMap): OffscreenCanvas {
  const height = map.length;
  const width = map[0]?.length ?? 1;
  const image = new ImageData(width, height);
  for (const [row, values] of map.entries()) {
    for (const [column, value] of values.entries()) {
      const offset = (row * width + column) * 4;
      image.data[offset] = Math.min(255, value * 510);
      image.data[offset + 1] = Math.max(0, value * 510 - 255);
      image.data[offset + 2] = 40 * (1 - value);
      image.data[offset + 3] = value * 255;
    }
  }
  const canvas = new OffscreenCanvas(width, height);
  canvas.getContext("2d")?.putImageData(image, 0, 0);
  return canvas;
}
