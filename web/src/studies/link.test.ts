import { expect, test } from "vitest";
import { link } from "./link.ts";
import { Position } from "./Position.ts";

const position = (slices: number, slice: number) => new Position({ slices, rows: 4, columns: 4 }, { column: 1, row: 2, slice });

test("volumes of different slice distances are scrolled by millimetres, in both directions", () => {
  const [thick, thin] = [position(40, 20), position(200, 0)];
  const end = link({ position: thick, spacing_mm: 5 }, { position: thin, spacing_mm: 1 }, { one: 20, other: 90 });
  expect(thin.current().slice).toBe(90);
  thick.move({ slice: 22 });
  expect(thin.current()).toEqual({ column: 1, row: 2, slice: 100 });
  thin.move({ slice: 85 });
  expect(thick.current().slice).toBe(19);
  thick.move({ slice: 39 });
  expect(thin.current().slice).toBe(185);
  end();
  thick.move({ slice: 0 });
  expect(thin.current().slice).toBe(185);
});

test("an anchor between two slices of one volume keeps both at one place", () => {
  const [thick, thin] = [position(6, 2), position(11, 0)];
  link({ position: thick, spacing_mm: 5 }, { position: thin, spacing_mm: 2.5 }, { one: 2.5, other: 5 });
  expect(thin.current().slice).toBe(4);
  for (const [slice, other] of [[0, 0], [5, 10], [3, 6]] as const) {
    thick.move({ slice });
    expect(thin.current().slice).toBe(other);
  }
});

test("who shows a position is told once for each move that changes it", () => {
  const moved = position(10, 3);
  let told = 0;
  const end = moved.subscribe(() => (told += 1));
  moved.move({ slice: 3 });
  moved.move({ slice: 99 });
  moved.move({ slice: Infinity });
  expect([moved.current().slice, told]).toEqual([9, 1]);
  end();
});
