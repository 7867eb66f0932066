/** The three planes of a volume. Slices lie from the feet to the head, each in standard radiological display. */
import type { PatientSides } from "./display.ts";
import type { Box, Point, Size, Spacing } from "./geometry.ts";

export type Plane = "axial" | "coronal" | "sagittal";

/** Indices of a voxel. */
export interface Voxel {
  column: number;
  row: number;
  slice: number;
}

export interface VolumeShape {
  slices: number;
  rows: number;
  columns: number;
}

/** Reformatted at once: neighbours are shown next. */
export const PLANES_AT_ONCE = 8;

/** Indices of the planes that are reformatted together with this one. shift: moves the borders between blocks. */
export function planeBlock(index: number, count: number, shift: number): { first: number; count: number } {
  const start = index - ((index + shift) % PLANES_AT_ONCE);
  const [first, stop] = [Math.max(0, start), Math.min(count, start + PLANES_AT_ONCE)];
  return { first, count: stop - first };
}

/** A box of a slice, in its pixels; maxima exclusive. */
export interface SliceBox extends Box {
  slice: number;
}

export const PLANES: readonly Plane[] = ["axial", "coronal", "sagittal"];

/** Along which a plane is scrolled. */
export const AXIS_OF: Record<Plane, keyof Voxel> = { axial: "slice", coronal: "row", sagittal: "column" };

export const PATIENT_SIDES: Record<Plane, PatientSides> = {
  axial: { left: "R", top: "A", right: "L", bottom: "P" },
  coronal: { left: "R", top: "H", right: "L", bottom: "F" },
  sagittal: { left: "A", top: "H", right: "P", bottom: "F" },
};

/** Number of voxels along an axis. */
export function lengthOf(shape: VolumeShape, axis: keyof Voxel): number {
  return { slice: shape.slices, row: shape.rows, column: shape.columns }[axis];
}

export function clamped(voxel: Voxel, shape: VolumeShape): Voxel {
  const within = (axis: keyof Voxel) => Math.min(lengthOf(shape, axis) - 1, Math.max(0, Math.round(voxel[axis])));
  return { column: within("column"), row: within("row"), slice: within("slice") };
}

/** In voxels. */
export function planeSize({ slices, rows, columns }: VolumeShape, plane: Plane): Size {
  return { axial: { width: columns, height: rows }, coronal: { width: columns, height: slices }, sagittal: { width: rows, height: slices } }[plane];
}

/** spacing_mm: between slices, rows and columns. */
export function planeSpacing([slice, row, column]: readonly [number, number, number], plane: Plane): Spacing {
  return { axial: { row, column }, coronal: { row: slice, column }, sagittal: { row: slice, column: row } }[plane];
}

/** The centre of a voxel in pixels of the plane; 0 is the edge of the first pixel. The head is at the top. */
export function toPlane({ column, row, slice }: Voxel, plane: Plane, { slices }: VolumeShape): Point {
  if (plane === "axial") return { x: column + 0.5, y: row + 0.5 };
  return { x: (plane === "coronal" ? column : row) + 0.5, y: slices - 0.5 - slice };
}

/** The voxel at a point of the plane that shows `voxel`. It may lie outside of the volume. */
export function fromPlane({ x, y }: Point, plane: Plane, voxel: Voxel, { slices }: VolumeShape): Voxel {
  const [across, down] = [Math.floor(x), Math.floor(y)];
  if (plane === "axial") return { ...voxel, column: across, row: down };
  const slice = slices - 1 - down;
  return plane === "coronal" ? { ...voxel, column: across, slice } : { ...voxel, row: across, slice };
}

/** Where a plane cuts the boxes of one lesion, in pixels of the plane; undefined where it cuts none. */
export function boxInPlane(boxes: readonly SliceBox[], plane: Plane, index: number, { slices }: VolumeShape): Box | undefined {
  const centre = index + 0.5;
  const cut = boxes.filter((box) => {
    if (plane === "axial") return box.slice === index;
    return plane === "coronal" ? box.y_min <= centre && centre < box.y_max : box.x_min <= centre && centre < box.x_max;
  });
  if (cut.length === 0) return undefined;
  const across = (box: SliceBox) => (plane === "sagittal" ? [box.y_min, box.y_max] : [box.x_min, box.x_max]) as readonly [number, number];
  const down = (box: SliceBox) => (plane === "axial" ? [box.y_min, box.y_max] : [slices - 1 - box.slice, slices - box.slice]) as readonly [number, number];
  return {
    x_min: Math.min(...cut.map((box) => across(box)[0])),
    x_max: Math.max(...cut.map((box) => across(box)[1])),
    y_min: Math.min(...cut.map((box) => down(box)[0])),
    y_max: Math.max(...cut.map((box) => down(box)[1])),
  };
}

/**
 * The values of neighbouring coronal or sagittal planes, from slices of which some may be missing: there they stay as they are.
 *
 * slices: each row by row.  first: index of the first plane.  targets: of each plane, as many values as it has voxels. A
 * sagittal plane reads one value from each line of memory: several planes at once cost as much as one.
 */
export function reformat<Values extends Int16Array | Uint8Array>(
  slices: readonly (Values | undefined)[],
  { rows, columns }: VolumeShape,
  plane: Exclude<Plane, "axial">,
  first: number,
  targets: readonly Values[],
): void {
  const width = plane === "coronal" ? columns : rows;
  for (const [number, values] of slices.entries()) {
    if (values === undefined) continue;
    const start = (slices.length - 1 - number) * width;
    if (plane === "coronal") {
      for (const [place, target] of targets.entries()) target.set(values.subarray((first + place) * columns, (first + place + 1) * columns), start);
      continue;
    }
    for (let row = 0; row < rows; row += 1) {
      const from = row * columns + first;
      for (let place = 0; place < targets.length; place += 1) targets[place]![start + row] = values[from + place]!;
    }
  }
}
