import jsQR from "jsqr";
import { expect, test } from "vitest";
import { qrModules, qrPath } from "./qrPath.ts";

const URI = "otpauth://totp/Hepar:ada%40example.org?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=Hepar";
const SCALE = 3;

test("a reader of QR codes reads the text from the drawing", () => {
  const side = qrModules(URI).length;
  const width = side * SCALE;
  const pixels = new Uint8ClampedArray(width * width * 4).fill(255);
  for (const [, x, y] of qrPath(qrModules(URI)).matchAll(/M(\d+) (\d+)h1v1h-1z/g)) {
    for (let row = 0; row < SCALE; row += 1) {
      const first = ((Number(y) * SCALE + row) * width + Number(x) * SCALE) * 4;
      for (let i = first; i < first + SCALE * 4; i += 4) pixels.fill(0, i, i + 3);
    }
  }
  expect(jsQR(pixels, width, width)?.data).toBe(URI);
});
