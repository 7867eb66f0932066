import { expect, test } from "vitest";
import { HeparProblem, type Analysis } from "../api.ts";
import type { Inspection } from "../files/picture.ts";
import { toCsv } from "./csv.ts";
import { inspectedItems, newItem, type NamedFile, type QueueItem } from "./items.ts";
import { decisionCounts, rowsOf, sortRows } from "./rows.ts";
import { parseResponse, uploadRequest } from "./upload.ts";
import { UploadQueue } from "./UploadQueue.ts";

const problem = { type: "/problems/too-large", title: "t", status: 413, detail: "d", request_id: "r" };

function item(name: string, changes: Partial<QueueItem> = {}): QueueItem {
  return { ...newItem({ name, file: new File([], name) }), ...changes };
}

function analysis(label: string, probability: number): Analysis {
  const classification = { outcome: "decided", label, probability, agreeing_models: 2, voting_models: 3 };
  return { classification, detection: problem } as unknown as Analysis;
}

test("a response is a result, a problem, or an error without a problem", () => {
  expect(parseResponse({ status: 200, body: '{"request_id":"r"}' }).state).toBe("done");
  const refused = parseResponse({ status: 413, body: JSON.stringify(problem) });
  expect(refused.state).toBe("failed");
  expect(refused.error).toBeInstanceOf(HeparProblem);
  expect(parseResponse({ status: 0, body: "" }).state).toBe("failed");
  expect(parseResponse({ status: 502, body: "<html>" }).error).not.toBeInstanceOf(HeparProblem);
});

test("CSV fields are quoted, and no file name becomes a formula", () => {
  const [, comma, formula] = toCsv([item('a,"b".png', { state: "failed" }), item("=1+1.png", { state: "failed" })]).split("\r\n");
  expect(comma).toBe('"a,""b"".png",,failed,,,,,,,');
  expect(formula).toBe("'=1+1.png,,failed,,,,,,,");
});

test("CSV has the outcome and the votes as separate numbers", () => {
  const [header, row] = toCsv([item("a.dcm", { state: "done", analysis: analysis("metastasis", 0.75) })]).split("\r\n");
  expect(header).toBe("file,frame,state,outcome,label,probability,agreeing_models,voting_models,boxes,best_score");
  expect(row).toBe("a.dcm,,done,decided,metastasis,0.75,2,3,,");
});

const threeFrames: Inspection = { kind: "DICOM", facts: [], frames: 3 };

test("a multi-frame file becomes one item per frame in one row", async () => {
  const frames = inspectedItems(item("volume.dcm"), threeFrames);
  expect(frames.map((frame) => frame.frame?.index)).toEqual([0, 1, 2]);
  expect(new Set(frames.map((frame) => frame.id)).size).toBe(3);
  expect(rowsOf([item("a.png"), ...frames]).map((row) => row.items.length)).toEqual([1, 3]);
  expect((await uploadRequest(frames[2] as QueueItem)).address).toBe("/v1/analyses?frame=2");
});

test("no part that may never be opened is requested", async () => {
  expect((await uploadRequest(item("a.png"))).address).toBe("/v1/analyses");
});

test("a file with more frames than the API accepts is refused with the numbers", () => {
  const [refused, ...others] = inspectedItems(item("huge.dcm"), { ...threeFrames, frames: 2001 });
  expect(others).toEqual([]);
  expect(refused?.inspection?.refusal).toEqual({ key: "tooManyFrames", values: { count: 2001, maximum: 2000 } });
});

test("decisions are counted, most frequent first", () => {
  const done = (label: string) => item("a.dcm", { analysis: analysis(label, 0.9) });
  expect(decisionCounts([done("metastasis"), done("no_tumour"), done("no_tumour"), item("b.dcm")])).toEqual([
    ["no_tumour", 2],
    ["metastasis", 1],
  ]);
});

test("rows are sorted by name with numbers as numbers, and by probability", () => {
  const rows = rowsOf([
    item("10.png", { analysis: analysis("metastasis", 0.6) }),
    item("9.png", { analysis: analysis("metastasis", 0.7) }),
    item("2.png"),
  ]);
  const names = (column: "file" | "probability", descending: boolean) =>
    sortRows(rows, { column, descending }).map((row) => row.items[0]?.name);
  expect(names("file", false)).toEqual(["2.png", "9.png", "10.png"]);
  expect(names("probability", true)).toEqual(["9.png", "10.png", "2.png"]);
});

test("files that are still being listed when the queue is cleared are not added", async () => {
  const queue = new UploadQueue({ current: () => undefined });
  const { promise, resolve } = Promise.withResolvers<NamedFile[]>();
  const added = queue.addListed(promise);
  queue.clear();
  resolve([{ name: "private.png", file: new File([], "private.png") }]);
  await added;
  expect(queue.snapshot()).toEqual([]);
});
