import { statedTurn } from "./exifOrientation.ts";
import { formatFact, FULL_RANGE, type Inspection, type Text } from "./picture.ts";
import { pageOffsets } from "./tiffPages.ts";

const BIG_TIFF = 43;

export async function inspectTiff(bytes: Uint8Array<ArrayBuffer>, page: number): Promise<Inspection> {
  const isBig = bytes[2] === BIG_TIFF || bytes[3] === BIG_TIFF;
  if (isBig) return { kind: "TIFF", facts: [], frames: 1 }; // left to the services
  const pages = pageOffsets(bytes);
  const frames = Math.max(1, pages.length);
  try {
    const { decodeTiffPage } = await import("./codecs.ts");
    const { width, height, values, bits } = decodeTiffPage(bytes, page);
    const facts: Text[] = [formatFact("TIFF", width, height), { key: "factBits", values: { bits } }];
    const turn = statedTurn(bytes, pages[page]);
    const shown = { window: FULL_RANGE, inverted: false, hounsfield: false, ...(turn ? { turn } : {}) };
    return { kind: "TIFF", facts, frames, picture: { width, height, values, ...shown } };
  } catch {
    return { kind: "TIFF", facts: [], frames };
  }
}
