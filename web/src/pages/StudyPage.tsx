/** One study: its volume with the findings, and what the result says. */
import { useCallback, useEffect, useMemo } from "react";
import { Link, useParams } from "react-router";
import { dataOrThrow, type Study, type StudyResult } from "../api.ts";
import { ErrorBox } from "../components/ErrorBox.tsx";
import { useAction } from "../components/useAction.ts";
import { ImageText } from "../components/ImageText.tsx";
import { usePageTitle } from "../components/usePageTitle.ts";
import { useResource } from "../components/useResource.ts";
import { useTranslator } from "../i18n/LanguageProvider.tsx";
import { useSession } from "../session/SessionProvider.tsx";
import { Position } from "../studies/Position.ts";
import { middleOf } from "../studies/SliceStore.ts";
import { StudyVolume } from "../studies/StudyVolume.ts";
import { isActive } from "../studies/useStudies.ts";
import { studyLine, studyTitle, verdict } from "../studies/words.ts";
import { FindingsPanel } from "./study/FindingsPanel.tsx";
import { voxelOf } from "./study/layers.ts";
import { PrintedReport } from "./study/PrintedReport.tsx";
import { StudyFacts } from "./study/StudyFacts.tsx";
import { VolumeViewer } from "./study/VolumeViewer.tsx";

const REFRESH_MS = 1000;

export default function StudyPage() {
  const translator = useTranslator();
  const { hepar } = useSession();
  const { id = "" } = useParams();
  const { data: study, error, reload } = useResource(
    useCallback(async () => dataOrThrow(await hepar.GET("/v1/studies/{study_id}", { params: { path: { study_id: id } } })), [hepar, id]),
  );
  // Asked for at once: the study only says whether it is this version's.
  const newest = useMemo(
    () =>
      hepar.GET("/v1/studies/{study_id}/result", { params: { path: { study_id: id } } }).then(
        ({ data }) => data as StudyResult | undefined,
        () => undefined, // it is asked for again where it is needed
      ),
    [hepar, id],
  );
  const title = study ? studyTitle(translator, study) : translator.text("study");
  usePageTitle(title);
  const active = study !== undefined && isActive(study);
  useEffect(() => {
    if (!active) return;
    const timer = setInterval(() => void reload(), REFRESH_MS);
    return () => clearInterval(timer);
  }, [active, reload]);
  return (
    <section>
      <div className="study-head">
        <Link to="/studies">{translator.text("backToStudies")}</Link>
        <h1>{title}</h1>
        {study ? <StudyFactsLine study={study} /> : null}
      </div>
      <ErrorBox error={error} />
      {study && study.status !== "finished" ? <StudyState study={study} onQueued={reload} /> : null}
      {study?.status === "finished" ? <FinishedStudy study={study} newest={newest} /> : null}
    </section>
  );
}

function StudyFactsLine({ study: { accession_number, study_date, images } }: { study: Study }) {
  const translator = useTranslator();
  const facts = [study_date ? translator.date(study_date) : null, accession_number, translator.text("imageCount", { count: images })];
  return <p className="quiet">{facts.filter(Boolean).join(" · ")}</p>;
}

/** Of a study without a result. */
function StudyState({ study, onQueued }: { study: Study; onQueued(): Promise<void> }) {
  const translator = useTranslator();
  const { progress, status, problem } = study;
  return (
    <article className="narrow middle">
      <p className="verdict" role="status">
        {studyLine(translator, study)}
      </p>
      {status === "running" ? (
        <progress max={progress.slices_total ?? 1} value={progress.slices_done} aria-label={translator.text("state")} />
      ) : null}
      {isActive(study) ? <p className="quiet">{translator.text("waitHint")}</p> : null}
      {problem?.detail ? <ImageText className="error" text={problem.detail} /> : null}
      {status === "failed" || status === "cancelled" ? <AnalyseAgain study={study} onQueued={onQueued} /> : null}
    </article>
  );
}

function AnalyseAgain({ study, onQueued }: { study: Study; onQueued(): Promise<void> }) {
  const translator = useTranslator();
  const { hepar } = useSession();
  const { busy, error, run } = useAction(async () => {
    dataOrThrow(await hepar.POST("/v1/studies/{study_id}/analyses", { params: { path: { study_id: study.id } } }));
    await onQueued();
  });
  return (
    <>
      <button type="button" className="primary" disabled={busy} onClick={run}>
        {translator.text("retry")}
      </button>
      <ErrorBox error={error} />
    </>
  );
}

interface FinishedStudyProps {
  study: Study;
  /** A request for the newest result. */
  newest: Promise<StudyResult | undefined>;
}

function FinishedStudy({ study: { id, version }, newest }: FinishedStudyProps) {
  const { hepar } = useSession();
  const { data: result, error } = useResource(
    useCallback(async () => {
      const found = await newest;
      if (found?.version === version) return found;
      const params = { path: { study_id: id }, query: { version } };
      return dataOrThrow(await hepar.GET("/v1/studies/{study_id}/result", { params })) as StudyResult;
    }, [hepar, id, version, newest]),
  );
  return (
    <>
      <ErrorBox error={error} />
      {result ? <ResultView result={result} /> : null}
      {result ? <PrintedReport result={result} /> : null}
    </>
  );
}

function ResultView({ result }: { result: StudyResult }) {
  const translator = useTranslator();
  const { hepar } = useSession();
  const volume = useMemo(() => new StudyVolume(hepar, result), [hepar, result]);
  const position = useMemo(() => startOf(result), [result]);
  return (
    <div className="columns reading">
      <VolumeViewer volume={volume} position={position} />
      <div className="findings">
        <p className="verdict">{verdict(translator, result)}</p>
        {result.certainty ? <p>{translator.text("certainty", { certainty: translator.term(`certainty_${result.certainty}`) })}</p> : null}
        <Burden result={result} />
        {result.warnings.map((text) => (
          <ImageText className="warning" key={text} text={text} />
        ))}
        <FindingsPanel volume={volume} position={position} />
        <p>
          <Link className="button primary" to={`/studies/${result.study_id}/report`}>
            {translator.text("openReport")}
          </Link>
        </p>
        <StudyFacts result={result} />
      </div>
    </div>
  );
}

/** Volumes, as the report writes them. */
function Burden({ result: { tumour_ml, liver_ml, tumour_percent } }: { result: StudyResult }) {
  const translator = useTranslator();
  if (tumour_ml === null || liver_ml === null || tumour_percent === null) return null;
  const liver = translator.number(liver_ml, 1);
  if (tumour_ml === 0) return <p>{translator.text("liverVolume", { liver })}</p>;
  return <p>{translator.text("burden", { tumour: translator.number(tumour_ml, 1), liver, percent: translator.percent(tumour_percent / 100, 1) })}</p>;
}

/** The most telling slice, at its largest lesion. */
function startOf({ volume, lesions, key_slices }: StudyResult): Position {
  const key = key_slices[0];
  const lesion = lesions.find(({ id }) => key?.lesions.includes(id));
  return new Position(volume, { ...middleOf(volume), ...(lesion ? voxelOf(lesion) : {}), ...(key ? { slice: key.slice } : {}) });
}
