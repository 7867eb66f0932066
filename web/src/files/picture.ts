/** What the browser knows of a file and of its pixels. */
import type { MessageKey } from "../i18n/en.ts";
import type { Values } from "../i18n/translator.ts";

export type Kind = "PNG" | "JPEG" | "TIFF" | "BMP" | "WEBP" | "DICOM";

/** The limit of the API. */
export const FRAMES_MAX = 2_000;

/** Grey values, row by row. */
export interface Picture {
  width: number;
  height: number;
  values: Float32Array | Int16Array;
  window: Window;
  /** Low values are bright, as in MONOCHROME1. */
  inverted: boolean;
  /** How the file states that it is turned for display. */
  turn?: Turn;
  /** Height of a pixel divided by its width, where the file states it without a spacing. */
  pixelAspect?: number;
  spacing_mm?: { row: number; column: number };
  /** Values are Hounsfield units; otherwise 0 to 255. */
  hounsfield: boolean;
}

/** Rows and columns are exchanged first, then the axes of the display are reversed. */
export interface Turn {
  transposed: boolean;
  flippedX: boolean;
  flippedY: boolean;
}

/** The range of values that is shown from black to white. */
export interface Window {
  width: number;
  centre: number;
}

export interface Text {
  key: MessageKey;
  values: Values;
}

export interface Inspection {
  kind: Kind | undefined;
  /** For display. */
  facts: Text[];
  frames: number;
  /** Why the file is not sent. */
  refusal?: Text;
  /** Of the frame asked for; undefined if this browser cannot decode it. */
  picture?: Picture;
}

/** Of pictures without Hounsfield units. */
export const FULL_RANGE: Window = { width: 255, centre: 127.5 };

export function formatFact(format: string, width: number, height: number): Text {
  return { key: "factFormat", values: { format, width, height } };
}

/** ITU-R BT.601. */
export function luma(red: number, green: number, blue: number): number {
  return 0.299 * red + 0.587 * green + 0.114 * blue;
}
