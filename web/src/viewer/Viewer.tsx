/** Shows one slice with its overlay. Canvas 2D: see docs/decisions/0017. */
import { useMemo, useRef, useState } from "react";
import type { Picture } from "../files/picture.ts";
import { useTranslator } from "../i18n/LanguageProvider.tsx";
import { boxText } from "../results.ts";
import type { Display, DisplaySettings } from "./display.ts";
import type { Overlay } from "./drawing.ts";
import { lineLength, type Line, type View } from "./geometry.ts";
import { useCanvas } from "./useCanvas.ts";
import { useViewerInput, type ViewerState } from "./useViewerInput.ts";
import { useElementSize, useFit } from "./useViewport.ts";

interface ViewerProps {
  picture: Picture;
  display: Display;
  overlay: Overlay;
  settings: DisplaySettings;
  onSettings(settings: DisplaySettings): void;
  view: View | undefined;
  onView(view: View): void;
}

export function Viewer({ picture, display, overlay, settings, onSettings, view, onView }: ViewerProps) {
  const translator = useTranslator();
  const frame = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const [line, setLine] = useState<Line>();
  const viewport = useElementSize(frame);
  useFit(display, viewport, view, onView);
  const ruler = useRulerText(line, picture);
  useCanvas(canvas, { picture, display, window: settings.window, inverted: settings.inverted, overlay, view, viewport, ruler });
  const state: ViewerState | undefined =
    view && viewport ? { image: display, viewport, view, settings, line, onView, onSettings, onLine: setLine } : undefined;
  const handlers = useViewerInput(canvas, state);
  return (
    <div className="frame" ref={frame}>
      <canvas
        ref={canvas}
        tabIndex={0}
        role="img"
        aria-label={translator.text("image", { width: picture.width, height: picture.height })}
        aria-describedby="viewer-help"
        className={settings.ruler ? "ruling" : "moving"}
        {...handlers}
      />
      {display.patient_sides ? <p className="unseen">{translator.text("patientSides")}</p> : null}
      <p className="unseen" role="status">
        {ruler ? `${translator.text("ruler")}: ${ruler.text}` : ""}
      </p>
      <ol className="unseen">
        {overlay.boxes.map((box, index) => (
          <li key={index}>{boxText(translator, box, index + 1)}</li>
        ))}
      </ol>
    </div>
  );
}

function useRulerText(line: Line | undefined, picture: Picture) {
  const translator = useTranslator();
  return useMemo(() => {
    if (line === undefined) return undefined;
    const { length, unit } = lineLength(line, picture.spacing_mm);
    return { line, text: `${translator.number(length, 1)} ${unit}` };
  }, [line, picture, translator]);
}
