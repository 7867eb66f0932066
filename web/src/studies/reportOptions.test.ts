import { expect, test } from "vitest";
import { readOptions, toggled, writeOptions } from "./reportOptions.ts";

test("options survive the address", () => {
  const options = { language: "de", slices: [17, 3] } as const;
  expect(readOptions(new URLSearchParams(writeOptions(options)), "en", 41)).toEqual(options);
  expect(readOptions(new URLSearchParams(writeOptions({ language: "en", slices: [] })), "de", 41)).toEqual({ language: "en", slices: [] });
});

test("an address that was changed by hand is read as far as it makes sense", () => {
  const query = new URLSearchParams("language=fr&slices=5,x,-1,5,41,1e3,7,8,9");
  expect(readOptions(query, "de", 41)).toEqual({ language: "de", slices: [5, 7, 8] });
});

test("a slice is chosen, dropped, and not added where there is no room", () => {
  expect(toggled([4], 9)).toEqual([4, 9]);
  expect(toggled([4, 9], 4)).toEqual([9]);
  expect(toggled([1, 2, 3], 9)).toEqual([1, 2, 3]);
});
