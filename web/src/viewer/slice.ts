/** A picture's canvas, painted anew only when the window changes. */
import type { Picture } from "../pictures.ts";
import { greys } from "./geometry.ts";

export class Slice {
  readonly canvas: OffscreenCanvas;
  private readonly pixels: ImageData;
  private readonly packed: Uint32Array;
  private painted = "";

  constructor(private readonly picture: Picture) {
    this.canvas = new OffscreenCanvas(picture.width, picture.height);
    this.pixels = new ImageData(picture.width, picture.height);
    this.packed = new Uint32Array(this.pixels.data.buffer);
  }

  through(window: Picture["window"], inverted: boolean): OffscreenCanvas {
    const wanted = `${window.width} ${window.centre} ${inverted}`;
    if (wanted !== this.painted) {
      greys(this.picture.values, window, inverted !== this.picture.inverted, this.packed);
      this.canvas.getContext("2d")?.putImageData(this.pixels, 0, 0);
      this.painted = wanted;
    }
    return this.canvas;
  }
}
