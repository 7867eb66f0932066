import { formatFact, FULL_RANGE, type Inspection, type Text } from "./picture.ts";
import { pageOffsets } from "./tiffPages.ts";

const BIG_TIFF = 43;

export async function inspectTiff(bytes: Uint8Array<ArrayBuffer>, page: number): Promise<Inspection> {
  const isBig = bytes[2] === BIG_TIFF || bytes[3] === BIG_TIFF;
  if (isBig) return { kind: "TIFF", facts: [], frames: 1 }; // left to the services
  const frames = Math.max(1, pageOffsets(bytes).length);
  try {
    const { decodeTiffPage } = await import("./codecs.ts");
    const { width, height, values, bits } = decodeTiffPage(bytes, page);
    const facts: Text[] = [formatFact("TIFF", width, height), { key: "factBits", values: { bits } }];
    return { kind: "TIFF", facts, frames, picture: { width, height, values, window: FULL_RANGE, inverted: false, hounsfield: false } };
  } catch {
    return { kind: "TIFF", facts: [], frames };
  }
}
