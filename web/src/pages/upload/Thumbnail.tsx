import { useEffect, useRef } from "react";
import { useTranslator } from "../../i18n/LanguageProvider.tsx";
import type { QueueItem } from "../../queue/items.ts";
import { WindowedImage } from "../../viewer/WindowedImage.ts";

const SIDE_PX = 64;

export function Thumbnail({ item: { inspection } }: { item: QueueItem }) {
  const translator = useTranslator();
  const canvas = useRef<HTMLCanvasElement>(null);
  const picture = inspection?.picture;
  useEffect(() => {
    const context = canvas.current?.getContext("2d");
    if (!picture || !context) return;
    context.drawImage(new WindowedImage(picture).render(picture.window, false), 0, 0, SIDE_PX, SIDE_PX);
  }, [picture]);
  if (inspection === undefined || inspection.refusal) return null;
  if (picture === undefined) return <span className="quiet">{translator.text("noPreview")}</span>;
  return <canvas ref={canvas} width={SIDE_PX} height={SIDE_PX} aria-hidden="true" />;
}
