/** The slices of a study's volume in Hounsfield units, fetched when they are needed and kept. */
import { dataOrThrow, type HeparClient, type VolumeFacts } from "../api.ts";
import type { Picture, Window } from "../files/picture.ts";

const AHEAD = 4;
/** 200 MB of float values at 512 × 512. */
const KEPT_MAX = 200;

export const LIVER_WINDOW: Window = { width: 250, centre: 125 };

export class SliceStore {
  private readonly slices = new Map<number, Promise<Picture>>();

  constructor(
    private readonly hepar: HeparClient,
    private readonly studyId: string,
    private readonly version: number,
    readonly volume: VolumeFacts,
  ) {}

  /** index: from 0 at the feet. Throws HeparProblem. */
  get(index: number): Promise<Picture> {
    let slice = this.slices.get(index);
    if (slice === undefined) {
      slice = this.fetch(index);
      slice.catch(() => this.slices.delete(index));
    }
    this.slices.delete(index); // the last one used is the last in the map
    this.slices.set(index, slice);
    for (const oldest of this.slices.keys()) {
      if (this.slices.size <= KEPT_MAX) break;
      this.slices.delete(oldest);
    }
    return slice;
  }

  /** Neighbours are fetched before they are shown. */
  prefetch(index: number): void {
    for (let distance = 1; distance <= AHEAD; distance += 1) {
      for (const near of [index + distance, index - distance]) {
        if (near >= 0 && near < this.volume.slices && !this.slices.has(near)) this.get(near).catch(() => undefined);
      }
    }
  }

  private async fetch(index: number): Promise<Picture> {
    const params = { path: { study_id: this.studyId, index }, query: { version: this.version } };
    const answer = await this.hepar.GET("/v1/studies/{study_id}/slices/{index}.hu", { params, parseAs: "arrayBuffer" });
    const bytes: ArrayBuffer = dataOrThrow(answer);
    const [, row, column] = this.volume.spacing_mm;
    return {
      width: this.volume.columns,
      height: this.volume.rows,
      values: Float32Array.from(new Int16Array(bytes)),
      window: LIVER_WINDOW,
      inverted: false,
      spacing_mm: { row, column },
      hounsfield: true,
    };
  }
}
