/** One finding: where it is, how large, what it looks like, and what readers made of it. */
import { useRef, useState, type KeyboardEvent } from "react";
import type { Finding } from "../../api.ts";
import { ModelNames } from "../../components/ModelNames.tsx";
import { useTranslator } from "../../i18n/LanguageProvider.tsx";
import type { SliceStore } from "../../studies/SliceStore.ts";
import type { Change } from "../../studies/useFindings.ts";
import { likelihood } from "../../studies/contradictions.ts";
import { lesionSentence, sizeText } from "../../studies/words.ts";
import { CopySentence } from "./CopySentence.tsx";
import { FindingActions } from "./FindingActions.tsx";
import { FindingHistory } from "./FindingHistory.tsx";
import { boxOf, LesionCrop } from "./LesionCrop.tsx";
import { OutlineDialog } from "./OutlineDialog.tsx";

interface FindingCardProps {
  finding: Finding;
  store: SliceStore;
  index: number;
  onShow(): void;
  /** Of the last correction. */
  error: unknown;
  /** Whether it was saved. */
  onCorrect(change: Change): Promise<boolean>;
}

export function FindingCard({ finding, store, index, onShow, error, onCorrect }: FindingCardProps) {
  const translator = useTranslator();
  const { id, label, measurement, model, status } = finding;
  const keySlice = measurement.long_axis.slice;
  const [outlining, setOutlining] = useState(false);
  const [commenting, setCommenting] = useState(false);
  const type = useRef<HTMLSelectElement>(null);
  const place = [translator.text("sliceNumber", { number: keySlice + 1 }), model?.lobe ? translator.term(`${model.lobe}_lobe`) : null];
  const actions: Record<string, () => void> = {
    a: () => void onCorrect({ action: "accept" }),
    x: () => void onCorrect({ action: "reject" }),
    t: () => type.current?.focus(),
    o: () => setOutlining(true),
    c: () => setCommenting(true),
    u: () => void onCorrect({ action: "undo" }),
  };
  function onKeyDown(event: KeyboardEvent): void {
    const writes = event.target instanceof HTMLElement && event.target.matches("input, select, textarea, dialog *");
    const action = writes || event.ctrlKey || event.metaKey || event.altKey ? undefined : actions[event.key.toLowerCase()];
    if (status === "withdrawn" || action === undefined) return;
    event.preventDefault();
    action();
  }
  return (
    <article className={index === keySlice ? "lesion current" : "lesion"} aria-label={id} onKeyDown={onKeyDown}>
      <LesionCrop finding={finding} store={store} />
      <div>
        <button type="button" className="plain" aria-pressed={index === keySlice} onClick={onShow}>
          {id} · {translator.term(label ?? "type_undecided")}
        </button>{" "}
        <span className={`state state-${status}`}>{translator.term(status)}</span>
        <p>
          {sizeText(translator, measurement)}
          {measurement.measurable ? "" : ` · ${translator.text("notMeasurable")}`}
        </p>
        <p className="quiet">{place.filter(Boolean).join(" · ")}</p>
        {model ? <ModelWords finding={finding} /> : null}
        {status === "withdrawn" ? null : (
          <FindingActions
            finding={finding}
            type={type}
            commenting={commenting}
            onCommenting={setCommenting}
            onOutline={() => setOutlining(true)}
            onCorrect={onCorrect}
          />
        )}
        {model ? <CopySentence text={lesionSentence(translator, model)} /> : null}
        <FindingHistory history={finding.history} />
        {outlining ? (
          <OutlineDialog
            title={translator.text("outlineTitle", { id })}
            store={store}
            slice={keySlice}
            box={boxOf(finding)}
            outlines={finding.outlines}
            removable
            error={error}
            onClose={() => setOutlining(false)}
            onSave={(outlines) => onCorrect({ action: "outline", outlines })}
          />
        ) : null}
      </div>
    </article>
  );
}

/** What the models said: in words, the numbers on demand. */
function ModelWords({ finding: { model, changed } }: { finding: Finding }) {
  const translator = useTranslator();
  if (!model) return null;
  const { label, probability, type_probabilities, agreement, liver_share, detectors } = model;
  const words = [translator.text("lesionLikelihood", { likelihood: translator.term(likelihood(probability)) })];
  if (label !== null) {
    words.push(translator.text("typeLikelihood", { type: translator.term(label), likelihood: translator.term(likelihood(type_probabilities[label] ?? 0)) }));
  }
  const answer = [translator.term(label ?? "type_undecided"), sizeText(translator, model)].join(", ");
  const numbers = [
    translator.text("lesionProbability", { probability: translator.probability(probability) }),
    ...Object.entries(type_probabilities).map(([type, share]) => `${translator.term(type)} ${translator.probability(share)}`),
    ...(liver_share === null ? [] : [translator.text("insideLiver", { percent: translator.percent(liver_share) })]),
  ];
  return (
    <>
      {changed.length > 0 ? <p className="quiet">{translator.text("modelsSaid", { answer })}</p> : null}
      <p className="quiet">
        {[...words, translator.text("detectorAgreement", { count: agreement })].join(" · ")}
      </p>
      <details className="quiet">
        <summary>{translator.text("numbers")}</summary>
        {numbers.join(" · ")}
        {detectors.length > 0 ? (
          <p>
            {translator.text("detectorNames")} <ModelNames names={detectors} />
          </p>
        ) : null}
      </details>
    </>
  );
}
