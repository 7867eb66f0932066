/** What a pane shows: the picture of a plane, and what lies over it. */
import { useEffect, useMemo, useRef, useState, useSyncExternalStore } from "react";
import type { StudyModelAnswers } from "../../api.ts";
import type { Picture } from "../../files/picture.ts";
import { useTranslator } from "../../i18n/LanguageProvider.tsx";
import type { SliceStore } from "../../studies/SliceStore.ts";
import type { StudyVolume } from "../../studies/StudyVolume.ts";
import type { ActivationMap, Overlay } from "../../viewer/drawing.ts";
import type { LabelPicture } from "../../viewer/LabelImage.ts";
import type { Plane } from "../../viewer/planes.ts";
import { detectorBoxes, diameters, lesionBoxes, type Layers } from "./layers.ts";
import { outlineBoxes } from "./readerLayer.ts";

/** Activation maps are computed when scrolling has come to rest. */
const REST_MS = 300;

/** The plane, or the one shown before until it is there. index: of the picture. */
export function usePicture(store: SliceStore, plane: Plane, index: number) {
  useSyncExternalStore(store.loaded.subscribe, store.share);
  const [error, setError] = useState<unknown>();
  const shown = useRef<{ picture: Picture; index: number; store: SliceStore }>(undefined);
  const picture = plane === "axial" ? store.here(index) : store.plane(plane, index);
  if (picture) shown.current = { picture, index, store };
  const missing = picture === undefined;
  const [, setArrived] = useState(0);
  useEffect(() => {
    if (plane !== "axial") return;
    let current = true;
    // The slice that the user waits for comes alone; all others after it.
    store.get(index).then(
      () => {
        if (!current) return;
        if (missing) setArrived((count) => count + 1);
        setError(undefined);
        store.load(index);
      },
      (reason: unknown) => {
        if (current) setError(reason);
      },
    );
    return () => {
      current = false;
    };
  }, [store, plane, index, missing]);
  const last = shown.current?.store === store ? shown.current : undefined;
  return { picture: last?.picture, index: last?.index ?? index, error };
}

export function useOverlay(volume: StudyVolume, plane: Plane, index: number, layers: Layers): { overlay: Overlay; error: unknown } {
  const translator = useTranslator();
  const { lesions, volume: shape } = volume.result;
  const { boxes, axes, detectors, maskOpacity, mapOpacity } = layers;
  const findings = useSyncExternalStore(volume.findings.changed.subscribe, volume.findings.all);
  const { answers, error } = useModelAnswers(volume, detectors.length > 0);
  const { labels, error: labelError } = useLabels(volume, plane, index, layers.masks);
  const map = useActivationMap(volume, index, plane === "axial" ? layers.map : "");
  const drawn = useMemo(() => {
    const single = answers ? detectorBoxes(translator, answers, detectors, volume.models("detect"), plane, index, shape) : [];
    const fused = boxes ? lesionBoxes(translator, lesions, findings, plane, index, shape) : [];
    const outlined = boxes && plane === "axial" ? outlineBoxes(translator, findings, index) : [];
    return { boxes: [...single, ...fused, ...outlined], lines: axes ? diameters(lesions, plane, index) : [] };
  }, [translator, volume, lesions, findings, shape, plane, index, boxes, axes, detectors, answers]);
  const overlay = useMemo(
    () => ({ ...drawn, masks: labels, maskOpacity, map: map.map, opacity: mapOpacity }),
    [drawn, labels, maskOpacity, map.map, mapOpacity],
  );
  return { overlay, error: error ?? labelError ?? map.error };
}

/** undefined until they are wanted and there. */
export function useModelAnswers(volume: StudyVolume, wanted: boolean) {
  const [answers, setAnswers] = useState<{ volume: StudyVolume; value: StudyModelAnswers }>();
  const [error, setError] = useState<unknown>();
  useEffect(() => {
    if (wanted) volume.modelAnswers().then((value) => setAnswers({ volume, value }), setError);
  }, [volume, wanted]);
  return { answers: answers?.volume === volume ? answers.value : undefined, error };
}

function useLabels({ labels }: StudyVolume, plane: Plane, index: number, wanted: boolean): { labels: LabelPicture | undefined; error: unknown } {
  useSyncExternalStore(labels.loaded.subscribe, labels.revised);
  const [error, setError] = useState<unknown>();
  useEffect(() => {
    if (wanted) labels.load().catch(setError);
  }, [labels, wanted]);
  return { labels: wanted ? labels.picture(plane, index) : undefined, error };
}

/** name: empty for none. */
function useActivationMap(volume: StudyVolume, index: number, name: string): { map: ActivationMap | undefined; error: unknown } {
  const [found, setFound] = useState<{ volume: StudyVolume; index: number; maps: ReadonlyMap<string, ActivationMap> }>();
  const [error, setError] = useState<unknown>();
  const wanted = name !== "";
  useEffect(() => {
    if (!wanted) return;
    const timer = setTimeout(() => {
      volume.activationMaps(index).then((maps) => {
        setFound({ volume, index, maps });
        setError(undefined);
      }, setError);
    }, REST_MS);
    return () => clearTimeout(timer);
  }, [volume, index, wanted]);
  const current = found?.volume === volume && found.index === index;
  return { map: wanted && current ? found.maps.get(name) : undefined, error: wanted ? error : undefined };
}
