/** The viewer's arithmetic, without a canvas. */

export interface View {
  /** Screen pixels an image pixel. */
  zoom: number;
  /** Of the image's upper left corner, in screen pixels. */
  left: number;
  top: number;
}

export interface Point {
  x: number;
  y: number;
}

const ZOOM_MIN = 0.05;
const ZOOM_MAX = 40;

/** The whole image, centred. Pixels that are not square are drawn square: sizes come from the spacing. */
export function fitted(width: number, height: number, room: { width: number; height: number }): View {
  const zoom = Math.min(room.width / width, room.height / height);
  return { zoom, left: (room.width - width * zoom) / 2, top: (room.height - height * zoom) / 2 };
}

/** Zoomed by a factor, the point of the screen staying where it is. */
export function zoomed(view: View, factor: number, at: Point): View {
  const zoom = Math.min(ZOOM_MAX, Math.max(ZOOM_MIN, view.zoom * factor));
  const by = zoom / view.zoom;
  return { zoom, left: at.x - (at.x - view.left) * by, top: at.y - (at.y - view.top) * by };
}

export function moved(view: View, x: number, y: number): View {
  return { ...view, left: view.left + x, top: view.top + y };
}

export function toImage(view: View, at: Point): Point {
  return { x: (at.x - view.left) / view.zoom, y: (at.y - view.top) / view.zoom };
}

/** The length of a line on the image: in millimetres where the spacing is known, else in pixels. */
export function measured(from: Point, to: Point, spacing?: { row: number; column: number }): string {
  const across = (to.x - from.x) * (spacing?.column ?? 1);
  const down = (to.y - from.y) * (spacing?.row ?? 1);
  return `${Math.hypot(across, down).toFixed(1)} ${spacing ? "mm" : "px"}`;
}

/**
 * Grey values through a window to opaque pixels, as DICOM's linear function does (PS3.3, C.11.2.1.2.1).
 *
 * out: RGBA in one number each, as ImageData holds them on a little-endian machine.
 */
export function greys(
  values: Float32Array,
  window: { width: number; centre: number },
  inverted: boolean,
  out: Uint32Array,
): void {
  const low = window.centre - window.width / 2;
  const scale = 255 / Math.max(window.width, 1e-6);
  const flip = inverted ? 255 : 0;
  for (let index = 0; index < values.length; index += 1) {
    const grey = Math.min(255, Math.max(0, (values[index]! - low) * scale + 0.5)) & 255;
    out[index] = 0xff000000 | ((grey ^ flip) * 0x010101);
  }
}
