/** Masks as a coloured canvas. */

/** Labels of a plane, row by row: 0 is nothing, 1 the liver, from 2 on the lesions. */
export interface LabelPicture {
  width: number;
  height: number;
  labels: Uint8Array;
}

const LIVER_COLOUR = [40, 170, 90, 140] as const;
const LESION_COLOUR = [230, 60, 50, 240] as const;
/** Red, green, blue and opacity by label, in the byte order of ImageData on a little-endian machine. */
const COLOURS = Uint32Array.from({ length: 256 }, (_, label) => {
  if (label === 0) return 0;
  const [red, green, blue, opacity] = label === 1 ? LIVER_COLOUR : LESION_COLOUR;
  return (opacity << 24) | (blue << 16) | (green << 8) | red;
});

/** Redrawn only when the picture changes. */
export class LabelImage {
  private canvas = new OffscreenCanvas(1, 1);
  private image = new ImageData(1, 1);
  private pixels = new Uint32Array(1);
  private rendered: LabelPicture | undefined;

  render(picture: LabelPicture): OffscreenCanvas {
    if (picture === this.rendered) return this.canvas;
    const { width, height, labels } = picture;
    if (this.image.width !== width || this.image.height !== height) {
      this.canvas = new OffscreenCanvas(width, height);
      this.image = new ImageData(width, height);
      this.pixels = new Uint32Array(this.image.data.buffer);
    }
    for (let index = 0; index < labels.length; index += 1) this.pixels[index] = COLOURS[labels[index]!]!;
    this.canvas.getContext("2d")?.putImageData(this.image, 0, 0);
    this.rendered = picture;
    return this.canvas;
  }
}
