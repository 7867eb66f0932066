/** Scrolls through a study's slices, with boxes and diameters of the lesions. */
import { useEffect, useMemo, useRef, useState, type KeyboardEvent } from "react";
import type { Lesion, StudyResult } from "../../api.ts";
import { ErrorBox } from "../../components/ErrorBox.tsx";
import type { Picture } from "../../files/picture.ts";
import { useTranslator } from "../../i18n/LanguageProvider.tsx";
import { LIVER_WINDOW, type SliceStore } from "../../studies/SliceStore.ts";
import { lesionSentence } from "../../studies/words.ts";
import { statedDisplay, type DisplaySettings } from "../../viewer/display.ts";
import type { Overlay } from "../../viewer/drawing.ts";
import type { View } from "../../viewer/geometry.ts";
import { Viewer } from "../../viewer/Viewer.tsx";
import { SliceStrip } from "./SliceStrip.tsx";
import { VolumeTools, type Shown } from "./VolumeTools.tsx";

const PATIENT_SIDES = { left: "R", top: "A", right: "L", bottom: "P" } as const;

interface VolumeViewerProps {
  result: StudyResult;
  store: SliceStore;
  index: number;
  onIndex(index: number): void;
}

export function VolumeViewer({ result, store, index, onIndex }: VolumeViewerProps) {
  const translator = useTranslator();
  const { lesions, volume } = result;
  const [settings, setSettings] = useState<DisplaySettings>({ window: LIVER_WINDOW, inverted: false, ruler: false, sideBySide: false });
  const [shown, setShown] = useState<Shown>({ boxes: true, axes: true, masks: false });
  const [view, setView] = useState<View>();
  const { picture, error } = useSlice(store, index);
  const findings = useLesionOverlay(lesions, index, shown);
  const masks = useMasks(store, index, shown.masks);
  const overlay = useMemo(() => ({ ...findings, masks }), [findings, masks]);
  const corner = useMemo(
    () => [
      translator.text("slicePosition", { number: index + 1, count: volume.slices }),
      translator.text("windowText", { width: Math.round(settings.window.width), centre: Math.round(settings.window.centre) }),
    ],
    [translator, index, volume.slices, settings.window],
  );
  const show = (next: number) => onIndex(Math.min(volume.slices - 1, Math.max(0, next)));
  function onKeyDown({ key, ctrlKey, metaKey }: KeyboardEvent): void {
    const direction = { n: 1, p: -1 }[key.toLowerCase()];
    const next = direction === undefined || ctrlKey || metaKey ? undefined : nextFinding(lesions, index, direction);
    if (next !== undefined) show(next);
  }
  return (
    <div className="image-panel" onKeyDown={onKeyDown}>
      <ErrorBox error={error} />
      {picture ? (
        <Viewer
          picture={picture}
          display={{ ...statedDisplay(picture), patient_sides: PATIENT_SIDES }}
          overlay={overlay}
          settings={settings}
          onSettings={setSettings}
          view={view}
          onView={setView}
          onStep={(steps) => show(index + steps)}
          corner={corner}
        />
      ) : (
        <p role="status">{translator.text("loading")}</p>
      )}
      <SliceStrip result={result} index={index} onIndex={show} />
      <VolumeTools settings={settings} onSettings={setSettings} shown={shown} onShown={setShown} onFit={() => setView(undefined)} />
      <p id="viewer-help" className="quiet">
        {translator.text("volumeHelp")}
      </p>
    </div>
  );
}

/** The slice, or the one before it until it is there. */
function useSlice(store: SliceStore, index: number) {
  const [picture, setPicture] = useState<Picture>();
  const [error, setError] = useState<unknown>();
  const wanted = useRef(index);
  useEffect(() => {
    wanted.current = index;
    store.get(index).then(
      (slice) => {
        if (wanted.current !== index) return;
        setPicture(slice);
        setError(undefined);
        store.prefetch(index);
      },
      (reason: unknown) => {
        if (wanted.current === index) setError(reason);
      },
    );
  }, [store, index]);
  return { picture, error };
}

/** undefined until they are there; a slice whose masks cannot be fetched is shown without. */
function useMasks(store: SliceStore, index: number, shown: boolean): ImageBitmap | undefined {
  const [masks, setMasks] = useState<{ index: number; bitmap: ImageBitmap }>();
  useEffect(() => {
    if (!shown) return;
    let current = true;
    store.mask(index).then(
      (bitmap) => {
        if (current) setMasks({ index, bitmap });
      },
      () => undefined,
    );
    return () => {
      current = false;
    };
  }, [store, index, shown]);
  return shown && masks?.index === index ? masks.bitmap : undefined;
}

function useLesionOverlay(lesions: readonly Lesion[], index: number, shown: Shown): Overlay {
  const translator = useTranslator();
  return useMemo(() => {
    const boxes = lesions.flatMap((lesion) =>
      lesion.boxes
        .filter(({ slice }) => shown.boxes && slice === index)
        .map((box) => ({
          ...box,
          label: lesion.label ?? box.label,
          caption: `${lesion.id} ${translator.probability(lesion.probability)}`,
          description: lesionSentence(translator, lesion),
        })),
    );
    const lines = lesions
      .flatMap(({ long_axis, short_axis }) => [long_axis, short_axis])
      .filter(({ slice }) => shown.axes && slice === index)
      .map(({ start_px, end_px }) => ({ from: { x: start_px[0], y: start_px[1] }, to: { x: end_px[0], y: end_px[1] } }));
    return { boxes, lines, opacity: 1 };
  }, [lesions, index, shown, translator]);
}

/** The nearest key slice above (1) or below (-1); undefined if there is none. */
export function nextFinding(lesions: readonly Pick<Lesion, "key_slice">[], index: number, direction: number): number | undefined {
  const slices = lesions.map(({ key_slice }) => key_slice).toSorted((one, other) => (one - other) * direction);
  return slices.find((slice) => (slice - index) * direction > 0);
}
