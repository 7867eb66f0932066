/** What the viewer draws on its canvas. Coordinates are pixels of the display; sizes are divided by the zoom to stay constant on screen. */
import type { Display, PatientSides } from "./display.ts";
import { placeCaptions, transformedBox, transformedPoint, type Box, type Line, type Point, type Size } from "./geometry.ts";
import type { LabelPicture } from "./LabelImage.ts";

/** Rows over the height of the image as sent of columns over its width, 0 to 1. */
export type ActivationMap = readonly (readonly number[])[];

/** In pixels of the image as sent. */
export interface OverlayBox extends Box {
  label: string;
  outline?: readonly Rings[] | null;
  /** Drawn at the box; empty for none. */
  caption: string;
  /** Thin, in this colour: of single detectors, and what readers said. */
  colour?: string;
  /** For screen readers. */
  description: string;
}

/** What is drawn over the image, in its pixels as sent. */
export interface Overlay {
  boxes: readonly OverlayBox[];
  /** Diameters. */
  lines?: readonly Line[];
  map?: ActivationMap | undefined;
  masks?: LabelPicture | undefined;
  /** Of the map, 0 to 1. */
  opacity: number;
  /** 0 to 1. */
  maskOpacity?: number;
  /** The voxel that the other planes show. */
  crosshair?: Point | undefined;
}

const FONT = "system-ui, sans-serif";
const CHOLANGIOCARCINOMA_COLOUR = "#ffb454";
const METASTASIS_COLOUR = "#5ad1ff";
const RULER_COLOUR = "#ffe66b";
const CROSSHAIR_COLOUR = "rgb(88 196 180 / 0.8)";
const CROSSHAIR_GAP_PX = 12;
const CAPTION_PX = 18;
const SIDE_MARGIN_PX = 16;
const CORNER_MARGIN_PX = 10;
const CORNER_LINE_PX = 17;

/** Cholangiocarcinoma solid, metastasis dashed: colour is never the only distinction. */
export function drawBox(context: CanvasRenderingContext2D, { matrix }: Display, box: OverlayBox, zoom: number): void {
  const { x_min, y_min, x_max, y_max } = transformedBox(matrix, box);
  const solid = box.label === "cholangiocarcinoma";
  context.lineWidth = (box.colour ? 1 : 2) / zoom;
  context.setLineDash(solid ? [] : [6 / zoom, 4 / zoom]);
  context.strokeStyle = box.colour ?? (solid ? CHOLANGIOCARCINOMA_COLOUR : METASTASIS_COLOUR);
  context.strokeRect(x_min, y_min, x_max - x_min, y_max - y_min);
  context.setLineDash([]);
  for (const polygon of box.outline ?? []) drawOutline(context, matrix, polygon, zoom);
}

/** Those of lesions, which come last, are placed first. */
export function drawCaptions(context: CanvasRenderingContext2D, { matrix }: Display, boxes: readonly OverlayBox[], zoom: number): void {
  context.font = `${13 / zoom}px ${FONT}`;
  context.textAlign = "left";
  context.textBaseline = "alphabetic";
  const height = CAPTION_PX / zoom;
  const captioned = boxes.filter(({ caption }) => caption).toReversed();
  const sized = captioned.map((box) => ({ box: transformedBox(matrix, box), width: context.measureText(box.caption).width + 8 / zoom }));
  for (const [index, { x, y }] of placeCaptions(sized, height).entries()) {
    const { caption, colour = "#fff" } = captioned[index]!;
    context.fillStyle = "rgb(0 0 0 / 0.75)";
    context.fillRect(x, y, sized[index]!.width, height);
    context.fillStyle = colour;
    context.fillText(caption, x + 4 / zoom, y + height - 5 / zoom);
  }
}

/** Leaves the middle free, so that the voxel can be seen. */
export function drawCrosshair(context: CanvasRenderingContext2D, { matrix, width, height }: Display, point: Point, zoom: number): void {
  const { x, y } = transformedPoint(matrix, point.x, point.y);
  const gap = CROSSHAIR_GAP_PX / zoom;
  context.strokeStyle = CROSSHAIR_COLOUR;
  context.lineWidth = 1 / zoom;
  context.beginPath();
  for (const [from, to] of [[0, x - gap], [x + gap, width]] as const) {
    context.moveTo(from, y);
    context.lineTo(to, y);
  }
  for (const [from, to] of [[0, y - gap], [y + gap, height]] as const) {
    context.moveTo(x, from);
    context.lineTo(x, to);
  }
  context.stroke();
}

/** The outer ring, then the holes: x and y in pixels of the image as sent. */
type Rings = readonly (readonly (readonly [number, number])[])[];

function drawOutline(context: CanvasRenderingContext2D, matrix: Display["matrix"], rings: Rings, zoom: number): void {
  context.lineWidth = 1.5 / zoom;
  context.beginPath();
  for (const ring of rings) {
    for (const [index, point] of ring.entries()) {
      const { x, y } = transformedPoint(matrix, ...point);
      if (index === 0) context.moveTo(x, y);
      else context.lineTo(x, y);
    }
  }
  context.stroke();
}

export function drawDiameter(context: CanvasRenderingContext2D, { matrix }: Display, { from, to }: Line, zoom: number): void {
  const [start, end] = [transformedPoint(matrix, from.x, from.y), transformedPoint(matrix, to.x, to.y)];
  context.strokeStyle = RULER_COLOUR;
  context.lineWidth = 1.5 / zoom;
  context.beginPath();
  context.moveTo(start.x, start.y);
  context.lineTo(end.x, end.y);
  context.stroke();
}

/** Lines of text at the lower left corner, in screen pixels. Returns where they end. */
export function drawCorner(context: CanvasRenderingContext2D, lines: readonly string[], { height }: Size): number {
  context.font = `13px ${FONT}`;
  context.textAlign = "left";
  context.textBaseline = "alphabetic";
  context.lineWidth = 3;
  context.strokeStyle = "#000";
  context.fillStyle = "#fff";
  for (const [index, text] of lines.toReversed().entries()) {
    const place = [text, CORNER_MARGIN_PX, height - 12 - index * CORNER_LINE_PX] as const;
    context.strokeText(...place);
    context.fillText(...place);
  }
  return CORNER_MARGIN_PX + Math.max(0, ...lines.map((text) => context.measureText(text).width));
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

/** The patient's side at each edge of the viewport, in screen pixels. cornerEnd: of the text at the lower left. */
export function drawSides(context: CanvasRenderingContext2D, sides: PatientSides, viewport: Size, cornerEnd: number): void {
  const { width, height } = viewport;
  const places: [letter: string, x: number, y: number][] = [
    [sides.left, SIDE_MARGIN_PX, height / 2],
    [sides.right, width - SIDE_MARGIN_PX, height / 2],
    [sides.top, width / 2, SIDE_MARGIN_PX],
    [sides.bottom, Math.max(width / 2, cornerEnd + SIDE_MARGIN_PX), height - SIDE_MARGIN_PX],
  ];
  context.font = `bold 18px ${FONT}`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.lineWidth = 4;
  context.strokeStyle = "#000";
  context.fillStyle = "#fff";
  for (const place of places) {
    context.strokeText(...place);
    context.fillText(...place);
  }
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
