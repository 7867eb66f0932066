import { AXIS_OF, lengthOf, planeBlock, planeSize, reformat, type Plane, type VolumeShape } from "../viewer/planes.ts";

type OtherPlane = Exclude<Plane, "axial">;

/** Reformatted planes near the one shown. revision: grows when further slices are there, and the planes are made again. */
export class PlaneCache<Values extends Int16Array | Uint8Array, Picture> {
  private readonly blocks = new Map<OtherPlane, { first: number; revision: number; pictures: Picture[] }>();

  /**
   * slices: filled by the owner.  create: values of a plane without slices.  wrap: what the viewer shows of them.
   * shift: of the borders between blocks, so that two caches do not make theirs in the same frame.
   */
  constructor(
    private readonly shape: VolumeShape,
    private readonly slices: readonly (Values | undefined)[],
    private readonly create: (length: number) => Values,
    private readonly wrap: (values: Values, plane: OtherPlane) => Picture,
    private readonly shift: number,
  ) {}

  get(plane: OtherPlane, index: number, revision: number): Picture {
    const { first, count } = planeBlock(index, lengthOf(this.shape, AXIS_OF[plane]), this.shift);
    let block = this.blocks.get(plane);
    if (block?.first !== first || block.revision !== revision) {
      const { width, height } = planeSize(this.shape, plane);
      const values = Array.from({ length: count }, () => this.create(width * height));
      reformat(this.slices, this.shape, plane, first, values);
      block = { first, revision, pictures: values.map((own) => this.wrap(own, plane)) };
      this.blocks.set(plane, block);
    }
    return block.pictures[index - first]!;
  }
}
