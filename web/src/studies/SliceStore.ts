/** A study's volume in Hounsfield units: slices are fetched when they are shown, and all others after them. */
import { dataOrThrow, type HeparClient, type VolumeFacts } from "../api.ts";
import type { Picture, Window } from "../files/picture.ts";
import { lengthOf, planeSize, planeSpacing, type Plane } from "../viewer/planes.ts";
import { PlaneCache } from "./PlaneCache.ts";
import { Subscribers } from "./Subscribers.ts";

export const LIVER_WINDOW: Window = { width: 250, centre: 125 };
const AIR_HU = -1024;
/** A browser opens six connections; two are left for what the user waits for. */
const FETCHES_MAX = 4;
/** Of one answer: 4 MiB at 512 × 512. */
const BLOCK_SLICES = 8;
const BYTES_PER_VOXEL = 2;
/** Larger volumes are kept in part: 1,024 slices of 512 × 512. */
const BYTES_MAX = 2 ** 29;

export class SliceStore {
  /** Told when further slices are there. */
  readonly loaded = new Subscribers();
  private readonly slices: (Int16Array | undefined)[];
  private readonly pictures: (Picture | undefined)[];
  private readonly pending = new Map<number, Promise<Picture>>();
  private readonly planes: PlaneCache<Int16Array, Picture>;
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
    this.planes = new PlaneCache(volume, this.slices, (length) => new Int16Array(length).fill(AIR_HU), this.picture, 0);
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
    return this.pictures[index] ?? this.pending.get(index) ?? this.fetch(index, index + 1)[0]!;
  }

  /** The slice if it is there already. */
  here(index: number): Picture | undefined {
    return this.pictures[index];
  }

  /** A coronal or sagittal plane of the slices that are there; the others are air. */
  plane(plane: Exclude<Plane, "axial">, index: number): Picture {
    return this.planes.get(plane, index, this.revision);
  }

  /** Fetches all slices that can be kept, those near `index` first. */
  load(index: number): void {
    this.wanted = index;
    this.stopped = false;
    while (this.fetches < FETCHES_MAX) {
      const next = this.nearestMissing();
      if (next === undefined) return;
      this.fetches += 1;
      void Promise.allSettled(this.fetch(...this.blockAround(next))).then((ended) => {
        this.fetches -= 1;
        // The viewer reports why a slice cannot be fetched when it is shown.
        if (ended.every(({ status }) => status === "fulfilled") && !this.stopped) this.load(this.wanted);
      });
    }
  }

  /** Fetches nothing further until it is told to load again. */
  stop(): void {
    this.stopped = true;
  }

  private nearestMissing(): number | undefined {
    const reach = this.complete ? this.volume.slices : Math.floor(this.keptMax / 2) - FETCHES_MAX;
    for (let distance = 0; distance < reach; distance += 1) {
      for (const near of [this.wanted + distance, this.wanted - distance]) if (this.isMissing(near)) return near;
    }
    return undefined;
  }

  private isMissing(index: number): boolean {
    return index >= 0 && index < this.volume.slices && !this.slices[index] && !this.pending.has(index);
  }

  /** The first slice and the one after the last of a block, all of which are missing. */
  private blockAround(index: number): [start: number, stop: number] {
    let [start, stop] = [index, index + 1];
    while (stop - start < BLOCK_SLICES && this.isMissing(stop)) stop += 1;
    while (stop - start < BLOCK_SLICES && this.isMissing(start - 1)) start -= 1;
    return [start, stop];
  }

  /** The slices from `start` to before `stop`, in one request. */
  private fetch(start: number, stop: number): Promise<Picture>[] {
    const values = this.values(start, stop - start);
    const size = this.volume.rows * this.volume.columns;
    return Array.from({ length: stop - start }, (_, place) => {
      const fetched = values.then((all) => this.keep(start + place, all.subarray(place * size, (place + 1) * size)));
      this.pending.set(start + place, fetched);
      const ended = () => this.pending.delete(start + place);
      fetched.then(ended, ended);
      return fetched;
    });
  }

  private async values(first: number, count: number): Promise<Int16Array> {
    const params = { path: { study_id: this.studyId }, query: { version: this.version, first, count } };
    const answer = await this.hepar.GET("/v1/studies/{study_id}/slices.hu", { params, parseAs: "arrayBuffer" });
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

  private readonly picture = (values: Int16Array, plane: Plane): Picture => {
    const spacing_mm = planeSpacing(this.volume.spacing_mm, plane);
    return { ...planeSize(this.volume, plane), values, window: LIVER_WINDOW, inverted: false, spacing_mm, hounsfield: true };
  };
}

/** The middle of the liver, or of the volume. */
export function middleOf(volume: VolumeFacts): { column: number; row: number; slice: number } {
  return { column: lengthOf(volume, "column") >> 1, row: lengthOf(volume, "row") >> 1, slice: Math.floor(liverMiddle(volume)) };
}

/** In slices, between two where their number is even: half a thick slice is several thin ones. */
export function liverMiddle({ liver_slices, slices }: VolumeFacts): number {
  const [first, last] = liver_slices ?? [0, slices - 1];
  return (first + last) / 2;
}
