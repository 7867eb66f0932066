import { encode } from "uqr";

/** ISO/IEC 18004: readers need this many light modules around the symbol. */
const QUIET_ZONE = 4;

/** Rows from the top, dark modules true, quiet zone included. */
export function qrModules(text: string): boolean[][] {
  return encode(text, { ecc: "M", border: QUIET_ZONE }).data;
}

/** An SVG path over the dark modules, one unit each. */
export function qrPath(modules: readonly (readonly boolean[])[]): string {
  return modules.flatMap((row, y) => row.flatMap((dark, x) => (dark ? [`M${x} ${y}h1v1h-1z`] : []))).join("");
}
