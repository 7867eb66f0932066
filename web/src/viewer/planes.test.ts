import { expect, test } from "vitest";
import { boxInPlane, clamped, fromPlane, planeBlock, planeSize, planeSpacing, reformat, toPlane, type Plane } from "./planes.ts";

const SHAPE = { slices: 3, rows: 4, columns: 5 };
const value = (slice: number, row: number, column: number) => slice * 100 + row * 10 + column;
const SLICES = [0, 1, 2].map((slice) => Int16Array.from({ length: 20 }, (_, place) => value(slice, Math.floor(place / 5), place % 5)));

test("coronal and sagittal planes have the head at the top, the right or the front at the left", () => {
  const coronal = new Int16Array(15);
  reformat(SLICES, SHAPE, "coronal", 2, [coronal]);
  expect([...coronal.slice(0, 5)]).toEqual([220, 221, 222, 223, 224]);
  expect(coronal[14]).toBe(24);
  const sagittal = new Int16Array(12);
  reformat(SLICES, SHAPE, "sagittal", 2, [new Int16Array(12), sagittal]);
  expect([...sagittal.slice(0, 4)]).toEqual([203, 213, 223, 233]);
  expect(sagittal[11]).toBe(33);
});

test("planes are reformatted in blocks, the last one shorter", () => {
  expect(planeBlock(13, 20, 0)).toEqual({ first: 8, count: 8 });
  expect(planeBlock(18, 20, 0)).toEqual({ first: 16, count: 4 });
  expect(planeBlock(13, 20, 4)).toEqual({ first: 12, count: 8 });
  expect(planeBlock(2, 20, 4)).toEqual({ first: 0, count: 4 });
});

test("a slice that is not there leaves its line as it was", () => {
  const coronal = new Int16Array(15).fill(-1024);
  reformat([SLICES[0], undefined, SLICES[2]], SHAPE, "coronal", 0, [coronal]);
  expect([...coronal.slice(5, 10)]).toEqual([-1024, -1024, -1024, -1024, -1024]);
  expect(coronal[0]).toBe(200);
});

test.each<[Plane, number]>([["axial", 10], ["coronal", 10], ["sagittal", 10]])("%s: a point leads to the voxel that is shown there", (plane) => {
  const voxel = { column: 3, row: 1, slice: 2 };
  const { width, height } = planeSize(SHAPE, plane);
  const point = toPlane(voxel, plane, SHAPE);
  expect(point.x).toBeLessThan(width);
  expect(point.y).toBeLessThan(height);
  expect(fromPlane(point, plane, voxel, SHAPE)).toEqual(voxel);
  if (plane === "axial") return;
  const shown = new Int16Array(width * height);
  reformat(SLICES, SHAPE, plane, plane === "coronal" ? voxel.row : voxel.column, [shown]);
  expect(shown[Math.floor(point.y) * width + Math.floor(point.x)]).toBe(value(2, 1, 3));
});

test("distances between pixels belong to the axes of the plane", () => {
  expect(planeSpacing([5, 0.8, 0.7], "coronal")).toEqual({ row: 5, column: 0.7 });
  expect(planeSpacing([5, 0.8, 0.7], "sagittal")).toEqual({ row: 5, column: 0.8 });
});

test("a plane cuts the boxes of a lesion where they are", () => {
  const boxes = [
    { slice: 0, x_min: 1, x_max: 3, y_min: 0, y_max: 2 },
    { slice: 1, x_min: 2, x_max: 5, y_min: 1, y_max: 4 },
  ];
  expect(boxInPlane(boxes, "axial", 1, SHAPE)).toEqual({ x_min: 2, x_max: 5, y_min: 1, y_max: 4 });
  expect(boxInPlane(boxes, "axial", 2, SHAPE)).toBeUndefined();
  expect(boxInPlane(boxes, "coronal", 1, SHAPE)).toEqual({ x_min: 1, x_max: 5, y_min: 1, y_max: 3 });
  expect(boxInPlane(boxes, "coronal", 3, SHAPE)).toEqual({ x_min: 2, x_max: 5, y_min: 1, y_max: 2 });
  expect(boxInPlane(boxes, "sagittal", 1, SHAPE)).toEqual({ x_min: 0, x_max: 2, y_min: 2, y_max: 3 });
  expect(boxInPlane(boxes, "sagittal", 0, SHAPE)).toBeUndefined();
});

test("positions stay in the volume", () => {
  expect(clamped({ column: -2, row: 9, slice: 1 }, SHAPE)).toEqual({ column: 0, row: 3, slice: 1 });
});
