import { expect, test } from "vitest";
import type { HeparClient, VolumeFacts } from "../api.ts";
import { LabelStore } from "./LabelStore.ts";

const VOLUME = { slices: 3, rows: 2, columns: 5 } as VolumeFacts;

/** pieces: where the compressed file is cut on its way. */
async function storeOf(labels: readonly number[], pieces: number): Promise<LabelStore> {
  const content = new Blob([new Uint8Array(352), Uint16Array.from(labels)]).stream();
  const file = new Uint8Array(await new Response(content.pipeThrough(new CompressionStream("gzip"))).arrayBuffer());
  const stream = new ReadableStream({
    start(controller) {
      for (let start = 0; start < file.length; start += pieces) controller.enqueue(file.slice(start, start + pieces));
      controller.close();
    },
  });
  const hepar = { GET: () => Promise.resolve({ data: stream, response: new Response() }) };
  return new LabelStore(hepar as unknown as HeparClient, "s", 1, VOLUME);
}

test.each([1, 7, 50, 10_000])("labels come to their voxels, however the file is cut (%i bytes)", async (pieces) => {
  const labels = Array.from({ length: 30 }, (_, index) => index % 7);
  const store = await storeOf(labels, pieces);
  await store.load();
  for (const slice of [0, 1, 2]) {
    expect([...store.picture("axial", slice).labels]).toEqual(labels.slice(slice * 10, slice * 10 + 10));
  }
  expect([...store.picture("coronal", 1).labels]).toEqual([...labels.slice(25, 30), ...labels.slice(15, 20), ...labels.slice(5, 10)]);
  expect([...store.picture("sagittal", 4).labels]).toEqual([24, 29, 14, 19, 4, 9].map((place) => labels[place]));
});
