import { useMemo } from "react";
import { qrModules, qrPath } from "./qrPath.ts";

/** A QR code as vectors, dark on light in every theme. label: for screen readers. */
export function QrCode({ text, label }: { text: string; label: string }) {
  const modules = useMemo(() => qrModules(text), [text]);
  return (
    <svg className="qr" role="img" aria-label={label} viewBox={`0 0 ${modules.length} ${modules.length}`} shapeRendering="crispEdges">
      <path d={qrPath(modules)} />
    </svg>
  );
}
