/** The masks of liver and lesions of a whole study, from the NIfTI file that the server makes of them. */
import { dataOrThrow, type HeparClient, type VolumeFacts } from "../api.ts";
import type { LabelPicture } from "../viewer/LabelImage.ts";
import { PLANES_AT_ONCE, planeSize, type Plane } from "../viewer/planes.ts";
import { PlaneCache } from "./PlaneCache.ts";
import { Subscribers } from "./Subscribers.ts";

const NIFTI_HEADER_BYTES = 352;
const BYTES_PER_LABEL = 2;

export class LabelStore {
  /** Told when further slices are there. */
  readonly loaded = new Subscribers();
  private readonly slices: (Uint8Array | undefined)[];
  private readonly planes: PlaneCache<Uint8Array, LabelPicture>;
  /** Of the slices that are there completely. */
  private readonly axial = new Map<number, LabelPicture>();
  private readonly empty: LabelPicture;
  private revision = 0;
  private fetching: Promise<void> | undefined;

  constructor(
    private readonly hepar: HeparClient,
    private readonly studyId: string,
    private readonly version: number,
    private readonly volume: VolumeFacts,
  ) {
    this.slices = Array.from({ length: volume.slices });
    this.empty = this.wrap(new Uint8Array(volume.rows * volume.columns), "axial");
    this.planes = new PlaneCache(volume, this.slices, (length) => new Uint8Array(length), this.wrap, PLANES_AT_ONCE / 2);
  }

  readonly revised = (): number => this.revision;

  /** Once, whoever wants them. Throws HeparProblem; then the next call tries again. */
  load(): Promise<void> {
    this.fetching ??= this.fetch().catch((error: unknown) => {
      this.fetching = undefined;
      throw error;
    });
    return this.fetching;
  }

  /** Of the slices that are there. */
  picture(plane: Plane, index: number): LabelPicture {
    if (plane === "axial") return this.axial.get(index) ?? this.empty;
    return this.planes.get(plane, index, this.revision);
  }

  private async fetch(): Promise<void> {
    const params = { path: { study_id: this.studyId }, query: { version: this.version } };
    const answer = await this.hepar.GET("/v1/studies/{study_id}/masks.nii.gz", { params, parseAs: "stream" });
    const packed: ReadableStream<Uint8Array<ArrayBuffer>> | null = dataOrThrow(answer);
    if (packed === null) throw new Error("masks without a body");
    const reader = packed.pipeThrough(new DecompressionStream("gzip")).getReader();
    for (let offset = -NIFTI_HEADER_BYTES, part = await reader.read(); !part.done; part = await reader.read()) {
      this.take(part.value, offset);
      offset += part.value.length;
    }
  }

  /** Two bytes a label, the less significant one first; no study has 256 lesions. offset: of the first byte. */
  private take(bytes: Uint8Array, offset: number): void {
    const size = this.volume.rows * this.volume.columns;
    let at = Math.max(0, -offset);
    at += (offset + at) % BYTES_PER_LABEL;
    while (at < bytes.length) {
      const first = (offset + at) / BYTES_PER_LABEL;
      const number = Math.floor(first / size);
      const slice = (this.slices[number] ??= new Uint8Array(size));
      const end = Math.min(size, first - number * size + Math.ceil((bytes.length - at) / BYTES_PER_LABEL));
      for (let place = first - number * size; place < end; place += 1, at += BYTES_PER_LABEL) slice[place] = bytes[at]!;
      if (end === size) this.axial.set(number, this.wrap(slice, "axial"));
    }
    this.revision += 1;
    this.loaded.tellSoon();
  }

  private readonly wrap = (labels: Uint8Array, plane: Plane): LabelPicture => ({ ...planeSize(this.volume, plane), labels });
}
