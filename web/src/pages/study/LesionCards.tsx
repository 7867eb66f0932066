import { useEffect, useRef, useState } from "react";
import type { Lesion } from "../../api.ts";
import type { Picture } from "../../files/picture.ts";
import { useTranslator } from "../../i18n/LanguageProvider.tsx";
import { LIVER_WINDOW, type SliceStore } from "../../studies/SliceStore.ts";
import { lesionSentence } from "../../studies/words.ts";
import { WindowedImage } from "../../viewer/WindowedImage.ts";

const CROP_PX = 96;
const MARGIN = 1.6;

interface LesionCardsProps {
  lesions: readonly Lesion[];
  store: SliceStore;
  index: number;
  onIndex(index: number): void;
}

export function LesionCards({ lesions, store, index, onIndex }: LesionCardsProps) {
  const translator = useTranslator();
  return (
    <>
      <h2>{translator.text("lesionCount", { count: lesions.length })}</h2>
      <ul className="lesions">
        {lesions.map((lesion) => (
          <li key={lesion.id}>
            <LesionCard lesion={lesion} store={store} current={index === lesion.key_slice} onShow={() => onIndex(lesion.key_slice)} />
          </li>
        ))}
      </ul>
    </>
  );
}

interface LesionCardProps {
  lesion: Lesion;
  store: SliceStore;
  current: boolean;
  onShow(): void;
}

function LesionCard({ lesion, store, current, onShow }: LesionCardProps) {
  const translator = useTranslator();
  const { id, label, long_axis, short_axis, volume_ml, measurable, type_probabilities, agreement, liver_share } = lesion;
  const place = [translator.text("sliceNumber", { number: lesion.key_slice + 1 }), lesion.lobe ? translator.term(`${lesion.lobe}_lobe`) : null];
  return (
    <article className={current ? "lesion current" : "lesion"}>
      <Crop lesion={lesion} store={store} />
      <div>
        <button type="button" className="plain" aria-pressed={current} onClick={onShow}>
          {id} · {translator.term(label ?? "type_undecided")}
        </button>
        <p>
          {translator.number(long_axis.length_mm, 1)} × {translator.number(short_axis.length_mm, 1)} mm
          {volume_ml === null ? "" : ` · ${translator.number(volume_ml, 1)} ml`}
          {measurable ? "" : ` · ${translator.text("notMeasurable")}`}
        </p>
        <p className="quiet">
          {place.filter(Boolean).join(" · ")} · {translator.text("lesionProbability", { probability: translator.probability(lesion.probability) })}
        </p>
        <p className="quiet">
          {Object.entries(type_probabilities)
            .map(([type, probability]) => `${translator.term(type)} ${translator.probability(probability)}`)
            .join(" · ")}
        </p>
        <p className="quiet">
          {translator.text("detectorAgreement", { count: agreement })}
          {liver_share === null ? "" : ` · ${translator.text("insideLiver", { percent: translator.percent(liver_share) })}`}
        </p>
        <CopySentence text={lesionSentence(translator, lesion)} />
      </div>
    </article>
  );
}

/** For a report. */
function CopySentence({ text }: { text: string }) {
  const translator = useTranslator();
  const [copied, setCopied] = useState(false);
  return (
    <button type="button" className="plain" onClick={() => void navigator.clipboard.writeText(text).then(() => setCopied(true))}>
      <span role="status">{translator.text(copied ? "copied" : "copySentence")}</span>
    </button>
  );
}

/** The lesion in its key slice. */
function Crop({ lesion, store }: Pick<LesionCardProps, "lesion" | "store">) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    let shown = true;
    store.get(lesion.key_slice).then(
      (picture) => {
        if (shown) drawCrop(canvas.current, picture, lesion);
      },
      () => undefined, // the viewer reports why a slice cannot be shown
    );
    return () => {
      shown = false;
    };
  }, [lesion, store]);
  return <canvas ref={canvas} className="crop" width={CROP_PX} height={CROP_PX} aria-hidden="true" />;
}

function drawCrop(canvas: HTMLCanvasElement | null, picture: Picture, { boxes, key_slice }: Lesion): void {
  const box = boxes.find(({ slice }) => slice === key_slice) ?? boxes[0];
  if (!canvas || !box) return;
  const side = Math.max(box.x_max - box.x_min, box.y_max - box.y_min) * MARGIN;
  const [x, y] = [(box.x_min + box.x_max - side) / 2, (box.y_min + box.y_max - side) / 2];
  const image = new WindowedImage(picture).render(LIVER_WINDOW, false);
  canvas.getContext("2d")?.drawImage(image, x, y, side, side, 0, 0, CROP_PX, CROP_PX);
}
