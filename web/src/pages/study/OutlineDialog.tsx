/** Outlines a lesion, slice by slice. Only slices that were drawn on are sent; the others keep what they have. */
import { useEffect, useRef, useState } from "react";
import type { SliceOutline } from "../../api.ts";
import { ErrorBox } from "../../components/ErrorBox.tsx";
import type { Picture } from "../../files/picture.ts";
import { useTranslator } from "../../i18n/LanguageProvider.tsx";
import { LIVER_WINDOW, type SliceStore } from "../../studies/SliceStore.ts";
import type { Box } from "../../viewer/geometry.ts";
import type { Corners } from "../../viewer/outline.ts";
import { OutlineCanvas } from "../../viewer/OutlineCanvas.tsx";

const CORNERS_MIN = 3;

interface OutlineDialogProps {
  title: string;
  store: SliceStore;
  /** Shown first. */
  slice: number;
  box?: Box | undefined;
  /** In force. */
  outlines: readonly SliceOutline[];
  /** Whether a slice can be marked as one that the lesion does not reach. */
  removable?: boolean;
  /** Of the last attempt to save. */
  error: unknown;
  onClose(): void;
  /** Whether it was saved. */
  onSave(outlines: SliceOutline[]): Promise<boolean>;
}

export function OutlineDialog({ title, store, slice, box, outlines, removable = false, error, onClose, onSave }: OutlineDialogProps) {
  const translator = useTranslator();
  const dialog = useRef<HTMLDialogElement>(null);
  const [index, setIndex] = useState(slice);
  const [drawn, setDrawn] = useState<ReadonlyMap<number, Corners>>(new Map());
  const [failed, setFailed] = useState(false);
  const picture = useSlicePicture(store, index);
  useEffect(() => dialog.current?.showModal(), []);
  const known = outlines.find((outline) => outline.slice === index);
  const corners = drawn.get(index) ?? known?.polygon.map(([x, y]) => ({ x, y })) ?? [];
  const number = index + 1;
  const absent = removable && corners.length === 0 && (drawn.has(index) || known !== undefined);
  const complete = [...drawn.values()].every(({ length }) => length >= CORNERS_MIN || (removable && length === 0));
  const savable = complete && [...drawn.values()].some(({ length }) => removable || length > 0);
  const step = (slices: number) => setIndex(Math.min(store.volume.slices - 1, Math.max(0, index + slices)));
  const set = (next: Corners) => setDrawn(new Map(drawn).set(index, next));
  function clear(): void {
    const rest = new Map(drawn);
    rest.delete(index);
    setDrawn(rest);
  }
  async function save(): Promise<void> {
    const sent = [...drawn].map(([at, points]) => ({ slice: at, polygon: points.map(({ x, y }): [number, number] => [x, y]) }));
    if (await onSave(sent)) onClose();
    else setFailed(true);
  }
  return (
    <dialog ref={dialog} className="outline" aria-labelledby="outline-title" onClose={onClose}>
      <h2 id="outline-title">{title}</h2>
      {picture ? (
        <OutlineCanvas
          picture={picture}
          window={LIVER_WINDOW}
          box={box}
          corners={corners}
          onCorners={set}
          onStep={step}
          label={translator.text("outlineCanvas", { number })}
          describedBy="outline-help"
        />
      ) : (
        <p role="status">{translator.text("loading")}</p>
      )}
      <p role="status">{absent ? translator.text("notHere", { number }) : translator.text("outlineState", { number, count: corners.length })}</p>
      <div className="tools">
        <button type="button" onClick={() => step(-1)}>
          {translator.text("sliceDown")}
        </button>
        <button type="button" onClick={() => step(1)}>
          {translator.text("sliceUp")}
        </button>
        <button type="button" onClick={clear}>
          {translator.text("clearOutline")}
        </button>
        {removable ? (
          <button type="button" onClick={() => set([])}>
            {translator.text("notInSlice")}
          </button>
        ) : null}
      </div>
      {failed ? <ErrorBox error={error} /> : null}
      <div className="tools">
        <button type="button" className="primary" disabled={!savable} onClick={() => void save()}>
          {translator.text("save")}
        </button>
        <button type="button" onClick={onClose}>
          {translator.text("cancel")}
        </button>
      </div>
      <p id="outline-help" className="quiet">
        {translator.text("outlineHelp")}
      </p>
    </dialog>
  );
}

function useSlicePicture(store: SliceStore, index: number): Picture | undefined {
  const [picture, setPicture] = useState<Picture>();
  useEffect(() => {
    let shown = true;
    store.get(index).then(
      (slice) => {
        if (shown) setPicture(slice);
      },
      () => undefined, // the viewer reports why a slice cannot be shown
    );
    return () => {
      shown = false;
    };
  }, [store, index]);
  return picture;
}
