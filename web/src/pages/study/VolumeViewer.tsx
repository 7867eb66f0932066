/** Reads a study's volume: planes, layers, and a second study beside it. */
import { useCallback, useEffect, useState, type KeyboardEvent } from "react";
import { ErrorBox } from "../../components/ErrorBox.tsx";
import { KeyList } from "../../components/KeyList.tsx";
import { useTranslator } from "../../i18n/LanguageProvider.tsx";
import type { Position } from "../../studies/Position.ts";
import { LIVER_WINDOW } from "../../studies/SliceStore.ts";
import type { StudyVolume } from "../../studies/StudyVolume.ts";
import type { DisplaySettings } from "../../viewer/display.ts";
import type { View } from "../../viewer/geometry.ts";
import { PLANES, type Plane } from "../../viewer/planes.ts";
import "../../viewer/viewer.css";
import { ComparisonTools, titlesOf } from "./ComparisonTools.tsx";
import { INITIAL_LAYERS, nextFinding, voxelOf } from "./layers.ts";
import { LayersPanel } from "./LayersPanel.tsx";
import { PlanePane, type PlanePaneProps } from "./PlanePane.tsx";
import { LAYOUTS, ReaderTools, type Layout } from "./ReaderTools.tsx";
import { SliceStrip } from "./SliceStrip.tsx";
import { useCandidates, useComparison, type Choice } from "./useComparison.ts";

const AXIAL = ["axial"] as const;
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
  const onKeyDown = (event: KeyboardEvent) =>
    keyAction(event, {
      jump: (direction) => {
        const lesion = nextFinding(volume.result.lesions, position.current().slice, direction);
        if (lesion) position.move(voxelOf(lesion));
      },
      toggle: (layer) => setLayers((known) => ({ ...known, [layer]: !known[layer] })),
      full: (next) => setFull((known) => next ?? !known),
      changeLayout: () => changeLayout(nextLayout(layout, volume.slices.complete)),
    });
  const own = { settings, onSettings: setSettings, crosshair: layout === "planes" || settings.tool === "crosshair" };
  const [title, secondTitle] = comparing ? titlesOf(translator, second.own, second.chosen, volume.result) : ["", ""];
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
        {(layout === "planes" ? PLANES : AXIAL).map((plane) => (
          <PlanePane key={plane} {...own} title={title} volume={volume} position={position} plane={plane} layers={layers} view={views[plane]} onView={onView} />
        ))}
        {second.volume ? <SecondPane {...own} title={secondTitle} second={second} volume={second.volume} view={views.axial} onView={onView} /> : null}
      </div>
      <SliceStrip result={volume.result} position={position} slices={volume.slices} />
      <div className={comparing ? "pair" : "single"}>
        <LayersPanel volume={volume} position={position} layers={layers} onLayers={setLayers} />
        {second.volume ? <LayersPanel volume={second.volume} position={second.position} layers={second.layers} onLayers={second.onLayers} /> : null}
      </div>
      <details>
        <summary>{translator.text("mouseAndKeys")}</summary>
        <KeyList id="viewer-help" text="volumeHelp" />
      </details>
      {full ? <p className="quiet">{translator.text("notice")}</p> : null}
    </div>
  );
}

interface SecondPaneProps extends Pick<PlanePaneProps, "volume" | "settings" | "onSettings" | "crosshair" | "title" | "view" | "onView"> {
  second: ReturnType<typeof useSecond>;
}

/** Moved and zoomed with the first pane where both show the same grid of voxels. */
function SecondPane({ second, view, onView, ...pane }: SecondPaneProps) {
  const { position, layers, shared } = second;
  return (
    <PlanePane {...pane} position={position} plane="axial" layers={layers} view={shared ? view : second.view} onView={shared ? onView : second.onView} />
  );
}

interface KeyTargets {
  /** To the finding above (1) or below (-1). */
  jump(direction: number): void;
  toggle(layer: "boxes" | "axes" | "masks"): void;
  /** Without a value, the other state. */
  full(next?: boolean): void;
  changeLayout(): void;
}

/** Keys of the whole reader; those of one pane are in useViewerInput.ts. */
function keyAction({ key, ctrlKey, metaKey, altKey, target }: KeyboardEvent, targets: KeyTargets): void {
  if (ctrlKey || metaKey || altKey || (target instanceof Element && target.matches("input, select, textarea"))) return;
  const actions: Record<string, () => void> = {
    n: () => targets.jump(1),
    p: () => targets.jump(-1),
    b: () => targets.toggle("boxes"),
    d: () => targets.toggle("axes"),
    m: () => targets.toggle("masks"),
    f: () => targets.full(),
    escape: () => targets.full(false),
    v: () => targets.changeLayout(),
  };
  actions[key.toLowerCase()]?.();
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
  const { own, others: candidates } = useCandidates(volume.result, wanted);
  const compared = useComparison(volume, position, choice, linked);
  const other = compared.volume;
  useEffect(() => {
    if (other !== volume) return () => other?.slices.stop();
    return undefined;
  }, [other, volume]);
  return {
    ...compared,
    own,
    chosen: candidates.find((candidate) => candidate.choice === choice),
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
