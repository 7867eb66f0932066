/** A study's volume in Hounsfield units: slices are fetched when they are shown, and all others after them. */
import { dataOrThrow, type HeparClient, type VolumeFacts } from "../api.ts";
import type { Picture, Window } from "../files/picture.ts";
import { lengthOf, planeSize, planeSpacing, reformat, type Plane } from "../viewer/planes.ts";
import { Subscribers } from "./Subscribers.ts";

export const LIVER_WINDOW: Window = { width: 250, centre: 125 };
const AIR_HU = -1024;
/** A browser opens six connections; two are left for what the user waits for. */
const FETCHES_MAX = 4;
const BYTES_PER_VOXEL = 2;
/** Larger volumes are kept in part: 1,024 slices of 512 × 512. */
const BYTES_MAX = 2 ** 29;

export class SliceStore {
  /** Told when further slices are there. */
  readonly loaded = new Subscribers();
  private readonly slices: (Int16Array | undefined)[];
  private readonly pictures: (Picture | undefined)[];
  private readonly pending = new Map<number, Promise<Picture>>();
  private readonly planes = new Map<Plane, { index: number; revision: number; picture: Picture }>();
  private readonly keptMax: number;
  private count = 0;
  private revision = 0;
  private wanted = 0;
  private fetches = 0;
  private stopped = false;

  constructor(
    private readonly hepar: HeparClient,
    private readonly studyId: string,
    private readonly version: number,
    readonly volume: VolumeFacts,
  ) {
    this.slices = Array.from({ length: volume.slices });
    this.pictures = Array.from({ length: volume.slices });
    this.keptMax = Math.max(16, Math.floor(BYTES_MAX / (volume.rows * volume.columns * BYTES_PER_VOXEL)));
  }

  /** Whether the whole volume is kept, so that it can be cut along other planes. */
  get complete(): boolean {
    return this.volume.slices <= this.keptMax;
  }

  /** 0 to 1. */
  readonly share = (): number => this.count / this.volume.slices;

  /** index: from 0 at the feet. Throws HeparProblem. */
  async get(index: number): Promise<Picture> {
    return this.pictures[index] ?? this.pending.get(index) ?? this.fetch(index);
  }

  /** The slice if it is there already. */
  here(index: number): Picture | undefined {
    return this.pictures[index];
  }

  /** A coronal or sagittal plane of the slices that are there; the others are air. */
  plane(plane: Exclude<Plane, "axial">, index: number): Picture {
    const made = this.planes.get(plane);
    if (made?.index === index && made.revision === this.revision) return made.picture;
    const { width, height } = planeSize(this.volume, plane);
    const values = new Int16Array(width * height).fill(AIR_HU);
    reformat(this.slices, this.volume, plane, index, values);
    const picture = this.picture(values, plane);
    this.planes.set(plane, { index, revision: this.revision, picture });
    return picture;
  }

  /** Fetches all slices that can be kept, those near `index` first. */
  load(index: number): void {
    this.wanted = index;
    this.stopped = false;
    while (this.fetches < FETCHES_MAX) {
      const next = this.nearestMissing();
      if (next === undefined) return;
      this.fetches += 1;
      void this.fetch(next)
        .then(
          () => true,
          () => false, // the viewer reports why a slice cannot be shown, when it is shown
        )
        .then((succeeded) => {
          this.fetches -= 1;
          if (succeeded && !this.stopped) this.load(this.wanted);
        });
    }
  }

  /** Fetches nothing further until it is told to load again. */
  stop(): void {
    this.stopped = true;
  }

  private nearestMissing(): number | undefined {
    const { slices } = this.volume;
    const reach = this.complete ? slices : Math.floor(this.keptMax / 2) - FETCHES_MAX;
    for (let distance = 0; distance < reach; distance += 1) {
      for (const near of [this.wanted + distance, this.wanted - distance]) {
        if (near >= 0 && near < slices && !this.slices[near] && !this.pending.has(near)) return near;
      }
    }
    return undefined;
  }

  private fetch(index: number): Promise<Picture> {
    const fetched = this.values(index).then((values) => this.keep(index, values));
    this.pending.set(index, fetched);
    const ended = () => this.pending.delete(index);
    fetched.then(ended, ended);
    return fetched;
  }

  private async values(index: number): Promise<Int16Array> {
    const params = { path: { study_id: this.studyId, index }, query: { version: this.version } };
    const answer = await this.hepar.GET("/v1/studies/{study_id}/slices/{index}.hu", { params, parseAs: "arrayBuffer" });
    const bytes: ArrayBuffer = dataOrThrow(answer);
    return new Int16Array(bytes);
  }

  private keep(index: number, values: Int16Array): Picture {
    const picture = this.picture(values, "axial");
    if (!this.slices[index]) this.count += 1;
    this.slices[index] = values;
    this.pictures[index] = picture;
    if (this.count > this.keptMax) this.drop();
    this.revision += 1;
    this.loaded.tellSoon();
    return picture;
  }

  /** The slice that is farthest from the one shown. */
  private drop(): void {
    const { slices } = this.volume;
    for (let distance = slices; distance > 0; distance -= 1) {
      for (const far of [this.wanted + distance, this.wanted - distance]) {
        if (far < 0 || far >= slices || !this.slices[far]) continue;
        this.slices[far] = this.pictures[far] = undefined;
        this.count -= 1;
        return;
      }
    }
  }

  private picture(values: Int16Array, plane: Plane): Picture {
    const spacing_mm = planeSpacing(this.volume.spacing_mm, plane);
    return { ...planeSize(this.volume, plane), values, window: LIVER_WINDOW, inverted: false, spacing_mm, hounsfield: true };
  }
}

/** The middle of the liver, or of the volume. */
export function middleOf(volume: VolumeFacts): { column: number; row: number; slice: number } {
  const [first, last] = volume.liver_slices ?? [0, volume.slices - 1];
  return { column: lengthOf(volume, "column") >> 1, row: lengthOf(volume, "row") >> 1, slice: (first + last) >> 1 };
}
