/** The slices of a study's volume in Hounsfield units, and their masks: fetched when they are needed and kept. */
import { dataOrThrow, type HeparClient, type VolumeFacts } from "../api.ts";
import type { Picture, Window } from "../files/picture.ts";

const AHEAD = 4;
/** 200 MB of float values at 512 × 512. */
const KEPT_MAX = 200;

export const LIVER_WINDOW: Window = { width: 250, centre: 125 };

export class SliceStore {
  private readonly slices = new Map<number, Promise<Picture>>();
  private readonly masks = new Map<number, Promise<ImageBitmap>>();

  constructor(
    private readonly hepar: HeparClient,
    private readonly studyId: string,
    private readonly version: number,
    readonly volume: VolumeFacts,
  ) {}

  /** index: from 0 at the feet. Throws HeparProblem. */
  get(index: number): Promise<Picture> {
    return kept(this.slices, index, () => this.fetch(index));
  }

  /** Liver and lesions in colour. Throws HeparProblem. */
  mask(index: number): Promise<ImageBitmap> {
    return kept(this.masks, index, async () => {
      const params = { path: { study_id: this.studyId, index }, query: { version: this.version } };
      const content: Blob = dataOrThrow(await this.hepar.GET("/v1/studies/{study_id}/masks/{index}.png", { params, parseAs: "blob" }));
      return createImageBitmap(content);
    });
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

/** What was fetched before, or now; only what was used last stays. */
function kept<Value>(values: Map<number, Promise<Value>>, index: number, fetch: () => Promise<Value>): Promise<Value> {
  let value = values.get(index);
  if (value === undefined) {
    value = fetch();
    value.catch(() => values.delete(index));
  }
  values.delete(index); // the last one used is the last in the map
  values.set(index, value);
  for (const oldest of values.keys()) {
    if (values.size <= KEPT_MAX) break;
    values.delete(oldest);
  }
  return value;
}
