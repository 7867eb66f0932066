import { useEffect, useRef } from "react";
import { useTranslator } from "../../i18n/LanguageProvider.tsx";
import type { QueueItem } from "../../queue/items.ts";
import { displayOf } from "../../results.ts";
import { statedDisplay } from "../../viewer/display.ts";
import { fittedView } from "../../viewer/geometry.ts";
import { WindowedImage } from "../../viewer/WindowedImage.ts";

const SIDE_PX = 64;

export function Thumbnail({ item: { inspection, analysis } }: { item: QueueItem }) {
  const translator = useTranslator();
  const canvas = useRef<HTMLCanvasElement>(null);
  const picture = inspection?.picture;
  useEffect(() => {
    const context = canvas.current?.getContext("2d");
    if (!picture || !context) return;
    const display = displayOf(analysis) ?? statedDisplay(picture);
    const { zoom, left, top } = fittedView(display, { width: SIDE_PX, height: SIDE_PX });
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, SIDE_PX, SIDE_PX);
    context.setTransform(zoom, 0, 0, zoom, left, top);
    context.transform(...display.matrix);
    context.drawImage(new WindowedImage(picture).render(picture.window, false), 0, 0);
  }, [picture, analysis]);
  if (inspection === undefined || inspection.refusal) return null;
  if (picture === undefined) return <span className="quiet">{translator.text("noPreview")}</span>;
  return <canvas ref={canvas} width={SIDE_PX} height={SIDE_PX} aria-hidden="true" />;
}
