import type { Picture, Window } from "../files/picture.ts";
import { applyWindow } from "./geometry.ts";

/** A picture as a canvas. It is redrawn only when the picture or the window changes. */
export class WindowedImage {
  private canvas = new OffscreenCanvas(1, 1);
  private image = new ImageData(1, 1);
  private pixels = new Uint32Array(1);
  private settings = "";
  private rendered: Picture | undefined;

  constructor(private picture: Picture) {}

  /** Slices of a stack use one canvas after the other. */
  show(picture: Picture): this {
    this.picture = picture;
    return this;
  }

  render(window: Window, inverted: boolean): OffscreenCanvas {
    const settings = `${window.width} ${window.centre} ${inverted}`;
    if (settings !== this.settings || this.picture !== this.rendered) {
      this.resize();
      applyWindow(this.picture.values, window, inverted !== this.picture.inverted, this.pixels);
      this.canvas.getContext("2d")?.putImageData(this.image, 0, 0);
      this.settings = settings;
      this.rendered = this.picture;
    }
    return this.canvas;
  }

  private resize(): void {
    const { width, height } = this.picture;
    if (this.image.width === width && this.image.height === height) return;
    this.canvas = new OffscreenCanvas(width, height);
    this.image = new ImageData(width, height);
    this.pixels = new Uint32Array(this.image.data.buffer);
  }
}
