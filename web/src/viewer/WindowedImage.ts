import type { Picture, Window } from "../files/picture.ts";
import { applyWindow } from "./geometry.ts";

/** A picture as a canvas. It is redrawn only when the window changes. */
export class WindowedImage {
  private readonly canvas: OffscreenCanvas;
  private readonly image: ImageData;
  private readonly pixels: Uint32Array;
  private rendered = "";

  constructor(private readonly picture: Picture) {
    this.canvas = new OffscreenCanvas(picture.width, picture.height);
    this.image = new ImageData(picture.width, picture.height);
    this.pixels = new Uint32Array(this.image.data.buffer);
  }

  render(window: Window, inverted: boolean): OffscreenCanvas {
    const settings = `${window.width} ${window.centre} ${inverted}`;
    if (settings !== this.rendered) {
      applyWindow(this.picture.values, window, inverted !== this.picture.inverted, this.pixels);
      this.canvas.getContext("2d")?.putImageData(this.image, 0, 0);
      this.rendered = settings;
    }
    return this.canvas;
  }
}
