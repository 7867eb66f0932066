/** The findings of a study: contradictions first, then a card for each lesion, which readers judge and correct. */
import { useCallback, useEffect, useMemo, useState } from "react";
import type { Finding, FindingList, StudyResult } from "../../api.ts";
import { ErrorBox } from "../../components/ErrorBox.tsx";
import { useTranslator } from "../../i18n/LanguageProvider.tsx";
import { contradictions } from "../../studies/contradictions.ts";
import { useFromVoxel, type Position } from "../../studies/Position.ts";
import type { SliceStore } from "../../studies/SliceStore.ts";
import type { StudyVolume } from "../../studies/StudyVolume.ts";
import { useFindings, type Corrections } from "../../studies/useFindings.ts";
import type { Voxel } from "../../viewer/planes.ts";
import { FindingCard } from "./FindingCard.tsx";
import "./findings.css";
import { voxelOf } from "./layers.ts";
import { boxOf } from "./LesionCrop.tsx";
import { OutlineDialog } from "./OutlineDialog.tsx";

/** Rendered when the slice in which a finding is measured is reached or left, not for every slice. */
export function FindingsPanel({ volume, position }: { volume: StudyVolume; position: Position }) {
  const { result, slices } = volume;
  const translator = useTranslator();
  const corrections = useFindings(result.study_id, result.version);
  const { list, error, correct } = corrections;
  useEffect(() => {
    if (list) volume.findings.set(list.items);
  }, [volume, list]);
  const measuredSlice = useCallback(
    ({ slice }: Voxel) => (list?.items.some(({ measurement }) => measurement.long_axis.slice === slice) ? slice : -1),
    [list],
  );
  const index = useFromVoxel(position, measuredSlice);
  const show = (slice: number) => {
    const lesion = result.lesions.find(({ key_slice }) => key_slice === slice);
    position.move(lesion ? voxelOf(lesion) : { slice });
  };
  return (
    <section aria-labelledby="findings-title" className="findings-panel">
      <h2 id="findings-title">{translator.text("lesionCount", { count: list?.summary.lesions ?? result.lesions.length })}</h2>
      <Contradictions result={result} onShow={show} />
      <SavedMessage corrections={corrections} />
      <ErrorBox error={error} />
      <ul className="lesions">
        {list?.items.map((finding) => (
          <li key={finding.id}>
            <FindingCard finding={finding} store={slices} index={index} onShow={() => position.move(placeOf(finding))} error={error} onCorrect={(change) => correct(finding, change)} />
          </li>
        ))}
      </ul>
      {list ? <AsRead list={list} /> : null}
      {list && list.items.length > 0 ? <p className="quiet">{translator.text("findingKeys")}</p> : null}
      <AddFinding corrections={corrections} store={slices} position={position} />
      {list ? <EarlierFindings findings={list.earlier} /> : null}
    </section>
  );
}

/** The middle of what is measured. */
function placeOf(finding: Finding): Partial<Voxel> {
  const { x_min, x_max, y_min, y_max } = boxOf(finding);
  const { slice } = finding.measurement.long_axis;
  return { slice, column: Math.floor((x_min + x_max) / 2), row: Math.floor((y_min + y_max) / 2) };
}

function Contradictions({ result, onShow }: { result: StudyResult; onShow(slice: number): void }) {
  const translator = useTranslator();
  const found = useMemo(() => contradictions(result, translator), [result, translator]);
  if (found.length === 0) return null;
  return (
    <div className="contradictions">
      <h3>{translator.text("contradictions")}</h3>
      <ul>
        {found.map(({ key, values, id }) => {
          const lesion = result.lesions.find((one) => one.id === id);
          const text = translator.text(key, values);
          return (
            <li key={text}>
              {lesion ? (
                <button type="button" className="plain" onClick={() => onShow(lesion.key_slice)}>
                  {text}
                </button>
              ) : (
                text
              )}
            </li>
          );
        })}
      </ul>
    </div>
  );
}

/** What was saved last, with a way back. */
function SavedMessage({ corrections: { saved, list, correct } }: { corrections: Corrections }) {
  const translator = useTranslator();
  const current = list?.items.find(({ id }) => id === saved?.id);
  const undoable = current?.history.some(({ action, undone }) => action !== "undo" && !undone);
  return (
    <div className="saved" role="status">
      {saved ? translator.text("saved", { id: saved.id, state: translator.term(saved.status) }) : ""}
      {current && undoable ? (
        <button type="button" onClick={() => void correct(current, { action: "undo" })}>
          {translator.text("undo")}
        </button>
      ) : null}
    </div>
  );
}

function AsRead({ list: { summary } }: { list: FindingList }) {
  const translator = useTranslator();
  if (summary.corrections === 0) return null;
  const { rejected, added, unreviewed, tumour_ml } = summary;
  const values = { lesions: translator.text("lesionCount", { count: summary.lesions }), rejected, added, unreviewed };
  const volume = tumour_ml === null ? undefined : translator.number(tumour_ml, 1);
  return <p>{volume === undefined ? translator.text("asReadWithoutVolume", values) : translator.text("asRead", { ...values, volume })}</p>;
}

function AddFinding({ corrections: { list, error, add }, store, position }: { corrections: Corrections; store: SliceStore; position: Position }) {
  const translator = useTranslator();
  const [open, setOpen] = useState(false);
  if (!list) return null;
  return (
    <>
      <button type="button" onClick={() => setOpen(true)}>
        {translator.text("addFinding")}
      </button>
      {open ? (
        <OutlineDialog
          title={translator.text("newOutlineTitle")}
          store={store}
          slice={position.current().slice}
          outlines={[]}
          error={error}
          onClose={() => setOpen(false)}
          onSave={(outlines) => add({ outlines, label: null })}
        />
      ) : null}
    </>
  );
}

/** A new analysis can find other lesions: corrections stay with the version that they were made for. */
function EarlierFindings({ findings }: { findings: readonly Finding[] }) {
  const translator = useTranslator();
  if (findings.length === 0) return null;
  return (
    <details>
      <summary>{translator.text("earlierVersions", { count: findings.length })}</summary>
      <ul>
        {findings.map(({ id, version, status, label }) => (
          <li key={`${version} ${id}`}>
            {translator.text("earlierFinding", {
              version,
              id,
              state: translator.term(status),
              type: label === null ? translator.text("undecided") : translator.term(label),
            })}
          </li>
        ))}
      </ul>
    </details>
  );
}
