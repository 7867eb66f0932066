/** Reads a study's volume: planes, layers, and a second study beside it. */
import { useCallback, useEffect, useState, type KeyboardEvent } from "react";
import { ErrorBox } from "../../components/ErrorBox.tsx";
import { useTranslator } from "../../i18n/LanguageProvider.tsx";
import type { Position } from "../../studies/Position.ts";
import { LIVER_WINDOW } from "../../studies/SliceStore.ts";
import type { StudyVolume } from "../../studies/StudyVolume.ts";
import type { DisplaySettings } from "../../viewer/display.ts";
import type { View } from "../../viewer/geometry.ts";
import { PLANES, type Plane } from "../../viewer/planes.ts";
import "../../viewer/viewer.css";
import { ComparisonTools, titleOf } from "./ComparisonTools.tsx";
import { INITIAL_LAYERS, nextFinding, voxelOf } from "./layers.ts";
import { LayersPanel } from "./LayersPanel.tsx";
import { PlanePane } from "./PlanePane.tsx";
import { LAYOUTS, ReaderTools, type Layout } from "./ReaderTools.tsx";
import { SliceStrip } from "./SliceStrip.tsx";
import { useCandidates, useComparison, type Choice } from "./useComparison.ts";

type Views = Partial<Record<Plane, View>>;

interface VolumeViewerProps {
  volume: StudyVolume;
  position: Position;
}

export function VolumeViewer({ volume, position }: VolumeViewerProps) {
  const translator = useTranslator();
  const [settings, setSettings] = useState<DisplaySettings>({ window: LIVER_WINDOW, inverted: false, tool: "move", sideBySide: false });
  const [layout, setLayout] = useState<Layout>("one");
  const [full, setFull] = useState(false);
  const [layers, setLayers] = useState(INITIAL_LAYERS);
  const [views, setViews] = useState<Views>({});
  const comparing = layout === "compare";
  const second = useSecond(volume, position, comparing);
  const onView = useCallback((plane: Plane, view: View) => setViews((known) => ({ ...known, [plane]: view })), []);
  useEffect(() => () => volume.slices.stop(), [volume]);
  const changeLayout = (next: Layout) => {
    setLayout(next);
    setViews({});
  };
  const fit = () => {
    setViews({});
    second.fit();
  };
  function onKeyDown(event: KeyboardEvent): void {
    const { key, ctrlKey, metaKey, altKey, target } = event;
    if (ctrlKey || metaKey || altKey || (target instanceof Element && target.matches("input, select, textarea"))) return;
    const jump = (direction: number) => {
      const lesion = nextFinding(volume.result.lesions, position.current().slice, direction);
      if (lesion) position.move(voxelOf(lesion));
    };
    const toggle = (layer: "boxes" | "axes" | "masks") => setLayers((known) => ({ ...known, [layer]: !known[layer] }));
    const actions: Record<string, () => void> = {
      n: () => jump(1),
      p: () => jump(-1),
      b: () => toggle("boxes"),
      d: () => toggle("axes"),
      m: () => toggle("masks"),
      f: () => setFull(!full),
      escape: () => setFull(false),
      v: () => changeLayout(nextLayout(layout, volume.slices.complete)),
    };
    actions[key.toLowerCase()]?.();
  }
  const own = { settings, onSettings: setSettings, layers };
  const shownPlanes = layout === "planes" ? PLANES : (["axial"] as const);
  const crosshair = layout === "planes" || settings.tool === "crosshair";
  return (
    <div className={full ? "image-panel reader full" : "image-panel reader"} onKeyDown={onKeyDown}>
      <ReaderTools
        settings={settings}
        onSettings={setSettings}
        layout={layout}
        planes={volume.slices.complete}
        onLayout={changeLayout}
        full={full}
        onFull={setFull}
        onFit={fit}
      />
      {comparing ? <ComparisonTools {...second.tools} /> : null}
      <ErrorBox error={second.error} />
      <div className={`panes panes-${layout}`}>
        {shownPlanes.map((plane) => (
          <PlanePane
            key={plane}
            {...own}
            volume={volume}
            position={position}
            plane={plane}
            view={views[plane]}
            onView={onView}
            crosshair={crosshair}
            title={comparing ? titleOf(translator, volume.result) : undefined}
          />
        ))}
        {second.volume ? (
          <PlanePane
            {...own}
            volume={second.volume}
            position={second.position}
            plane="axial"
            layers={second.layers}
            view={second.shared ? views.axial : second.view}
            onView={second.shared ? onView : second.onView}
            crosshair={crosshair}
            title={titleOf(translator, second.volume.result)}
          />
        ) : null}
      </div>
      <SliceStrip result={volume.result} position={position} slices={volume.slices} />
      <div className={comparing ? "pair" : "single"}>
        <LayersPanel volume={volume} position={position} layers={layers} onLayers={setLayers} />
        {second.volume ? <LayersPanel volume={second.volume} position={second.position} layers={second.layers} onLayers={second.onLayers} /> : null}
      </div>
      <details>
        <summary>{translator.text("mouseAndKeys")}</summary>
        <p id="viewer-help" className="quiet">
          {translator.text("volumeHelp")}
        </p>
      </details>
    </div>
  );
}

function nextLayout(layout: Layout, planes: boolean): Layout {
  const possible = (Object.keys(LAYOUTS) as Layout[]).filter((name) => planes || name !== "planes");
  return possible[(possible.indexOf(layout) + 1) % possible.length]!;
}

/** The second pane; `volume` is undefined where there is none. */
function useSecond(volume: StudyVolume, position: Position, wanted: boolean) {
  const [choice, setChoice] = useState<Choice>("");
  const [linked, setLinked] = useState(true);
  const [layers, setLayers] = useState(INITIAL_LAYERS);
  const [view, setView] = useState<View>();
  const candidates = useCandidates(volume.result, wanted);
  const compared = useComparison(volume, position, choice, linked);
  const other = compared.volume;
  useEffect(() => {
    if (other !== volume) return () => other?.slices.stop();
    return undefined;
  }, [other, volume]);
  return {
    ...compared,
    volume: wanted ? other : undefined,
    error: wanted ? compared.error : undefined,
    layers,
    onLayers: setLayers,
    view,
    onView: useCallback((_: Plane, next: View) => setView(next), []),
    fit: () => setView(undefined),
    tools: { candidates, choice, onChoice: setChoice, linked, onLinked: setLinked, shared: compared.shared },
  };
}
