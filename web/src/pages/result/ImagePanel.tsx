/** The viewer with its controls, and the table of lesions. */
import { useMemo, useState } from "react";
import type { Analysis, Box, Classification } from "../../api.ts";
import { ErrorBox } from "../../components/ErrorBox.tsx";
import { KeyList } from "../../components/KeyList.tsx";
import { ModelNames } from "../../components/ModelNames.tsx";
import { WideTable } from "../../components/WideTable.tsx";
import { useTranslator } from "../../i18n/LanguageProvider.tsx";
import type { Picture } from "../../files/picture.ts";
import type { QueueItem } from "../../queue/items.ts";
import { boxSizeText, boxText, classificationOf, detectionOf, displayOf, lesionCountOf } from "../../results.ts";
import { statedDisplay, type DisplaySettings } from "../../viewer/display.ts";
import type { ActivationMap } from "../../viewer/drawing.ts";
import type { View } from "../../viewer/geometry.ts";
import "../../viewer/viewer.css";
import { Viewer } from "../../viewer/Viewer.tsx";
import { ENSEMBLE, useActivationMaps } from "./useActivationMaps.ts";
import { DisplayTools, OverlayTools, type OverlaySettings } from "./ViewerTools.tsx";

const NO_OVERLAY = { boxes: [], opacity: 0 };

interface ImagePanelProps {
  item: QueueItem;
  picture: Picture;
  analysis: Analysis;
}

export function ImagePanel({ item, picture, analysis }: ImagePanelProps) {
  const translator = useTranslator();
  const [settings, setSettings] = useState<DisplaySettings>({ window: picture.window, inverted: false, tool: "move", sideBySide: false });
  const [overlaySettings, setOverlaySettings] = useState<OverlaySettings>({ threshold: 0, map: "", opacity: 0.4 });
  const [view, setView] = useState<View>();
  const { maps, loading, error } = useActivationMaps(item, overlaySettings.map !== "");
  const { boxes, overlay } = useOverlay(analysis, overlaySettings, maps);
  const display = useMemo(() => displayOf(analysis) ?? statedDisplay(picture), [analysis, picture]);
  const found = lesionCountOf(analysis);
  const viewer = { picture, display, settings, onSettings: setSettings, view, onView: setView };
  return (
    <div className="image-panel">
      <div className="reader one-image">
        <div className="tools">
          <DisplayTools settings={settings} hounsfield={picture.hounsfield} onChange={setSettings} onFit={() => setView(undefined)} />
          <OverlayTools settings={overlaySettings} boxes={Boolean(found)} maps={explainable(classificationOf(analysis))} onChange={setOverlaySettings} />
        </div>
        <div className={settings.sideBySide ? "panes panes-compare" : "panes"}>
          {settings.sideBySide ? <Viewer {...viewer} overlay={NO_OVERLAY} /> : null}
          <Viewer {...viewer} overlay={overlay} />
        </div>
        <details>
          <summary>{translator.text("mouseAndKeys")}</summary>
          <KeyList id="viewer-help" text="viewerHelp" />
        </details>
      </div>
      {loading ? <p role="status">{translator.text("loading")}</p> : null}
      <ErrorBox error={error} />
      <p role="status">{found === undefined ? null : translator.text("boxesFound", { count: boxes.length })}</p>
      {boxes.length > 0 ? <BoxTable boxes={boxes} /> : null}
    </div>
  );
}

function useOverlay(analysis: Analysis, { threshold, map, opacity }: OverlaySettings, maps: ReadonlyMap<string, ActivationMap>) {
  const translator = useTranslator();
  const boxes = useMemo(() => detectionOf(analysis)?.boxes.filter((box) => box.score >= threshold) ?? [], [analysis, threshold]);
  const overlay = useMemo(() => {
    const captioned = boxes.map((box, index) => ({
      ...box,
      caption: `${index + 1}: ${translator.probability(box.score)}`,
      description: boxText(translator, box, index + 1),
    }));
    return { boxes: captioned, map: maps.get(map), opacity };
  }, [boxes, maps, map, opacity, translator]);
  return { boxes, overlay };
}

/** The names of the activation maps that can be opened. */
function explainable(classification: Classification | undefined): string[] {
  const votes = classification?.votes ?? [];
  return votes.length > 0 ? [ENSEMBLE, ...votes.map(({ model }) => model)] : [];
}

function BoxTable({ boxes }: { boxes: readonly Box[] }) {
  const translator = useTranslator();
  return (
    <WideTable label={translator.text("boxes")} columns={["number", "label", "score", "size", "detectedBy"]} className="boxes stacked">
      {boxes.map((box, index) => (
        <tr key={index}>
          <th scope="row">{index + 1}</th>
          <td>{translator.term(box.label)}</td>
          <td>{translator.probability(box.score)}</td>
          <td>{boxSizeText(translator, box)}</td>
          <td className="quiet">
            <ModelNames names={box.detectors} />
          </td>
        </tr>
      ))}
    </WideTable>
  );
}
