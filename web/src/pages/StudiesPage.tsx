/** The worklist: studies of the account, and the place to send one. */
import { useDeferredValue, useEffect, useMemo } from "react";
import { Link, useSearchParams } from "react-router";
import type { Study } from "../api.ts";
import { ErrorBox } from "../components/ErrorBox.tsx";
import { ImageText } from "../components/ImageText.tsx";
import { Choice } from "../components/form.tsx";
import { usePageTitle } from "../components/usePageTitle.ts";
import { WideTable } from "../components/WideTable.tsx";
import { useTranslator } from "../i18n/LanguageProvider.tsx";
import { isActive, useStudies, type StudyFilter } from "../studies/useStudies.ts";
import { attentionReason, studyLine, studyNumbers, studyTitle } from "../studies/words.ts";
import { SampleStudy } from "./studies/SampleStudy.tsx";
import { StudyDrop } from "./studies/StudyDrop.tsx";
import { StudyThumbnail } from "./studies/StudyThumbnail.tsx";

const STATUSES = ["queued", "running", "finished", "failed", "cancelled"] as const;

export default function StudiesPage() {
  const translator = useTranslator();
  const [filter, setFilter] = useFilter();
  const { studies, error, reload, onMore, onFirst } = useStudies(useDeferredValue(filter));
  usePageTitle(translator.text("studies"));
  useEffect(() => void import("./StudyPage.tsx"), []); // a study is opened next
  return (
    <section>
      <h1>{translator.text("studies")}</h1>
      <StudyDrop onSent={reload} />
      <Filters filter={filter} onChange={setFilter} />
      <ErrorBox error={error} />
      {studies === undefined && error === undefined ? <Loading /> : null}
      {studies?.length === 0 ? <NoStudies filtered={Boolean(filter.search || filter.status)} /> : null}
      {studies && studies.length > 0 ? <StudyTable studies={studies} /> : null}
      <div className="tools">
        {onFirst ? (
          <button type="button" onClick={onFirst}>
            {translator.text("newest")}
          </button>
        ) : null}
        {onMore ? (
          <button type="button" onClick={onMore}>
            {translator.text("more")}
          </button>
        ) : null}
      </div>
    </section>
  );
}

function Loading() {
  const translator = useTranslator();
  return (
    <>
      <p role="status" className="unseen">
        {translator.text("loading")}
      </p>
      <div className="skeleton" aria-hidden="true">
        <div />
        <div />
        <div />
      </div>
    </>
  );
}

function NoStudies({ filtered }: { filtered: boolean }) {
  const translator = useTranslator();
  return (
    <div className="empty">
      <p>{translator.text(filtered ? "noMatch" : "noStudies")}</p>
      {filtered ? null : <SampleStudy />}
    </div>
  );
}

/** In the address, so that a list can be shared and reloaded. */
function useFilter(): [StudyFilter, (filter: StudyFilter) => void] {
  const [query, setQuery] = useSearchParams();
  const filter = useMemo<StudyFilter>(
    () => ({
      search: query.get("search") ?? "",
      status: STATUSES.find((status) => status === query.get("status")) ?? "",
      order: query.get("order") === "attention" ? "attention" : "newest",
    }),
    [query],
  );
  function setFilter({ search, status, order }: StudyFilter): void {
    const changed = { ...(search ? { search } : {}), ...(status ? { status } : {}), ...(order === "attention" ? { order } : {}) };
    setQuery(changed, { replace: true });
  }
  return [filter, setFilter];
}

interface FiltersProps {
  filter: StudyFilter;
  onChange(filter: StudyFilter): void;
}

function Filters({ filter, onChange }: FiltersProps) {
  const translator = useTranslator();
  return (
    <div className="tools" role="search">
      <label>
        {translator.text("search")}
        <input
          type="search"
          value={filter.search}
          placeholder={translator.text("searchHint")}
          onChange={(event) => onChange({ ...filter, search: event.target.value })}
        />
      </label>
      <Choice
        label={translator.text("status")}
        value={filter.status}
        values={STATUSES}
        text={(name) => translator.term(name)}
        onChange={(status) => onChange({ ...filter, status })}
      />
      <label>
        {translator.text("order")}
        <select value={filter.order} onChange={(event) => onChange({ ...filter, order: event.target.value as StudyFilter["order"] })}>
          <option value="newest">{translator.text("newestFirst")}</option>
          <option value="attention">{translator.text("attentionFirst")}</option>
        </select>
      </label>
    </div>
  );
}

function StudyTable({ studies }: { studies: readonly Study[] }) {
  const translator = useTranslator();
  return (
    <WideTable label={translator.text("studies")} columns={["preview", "study", "studyDate", "images", "result"]} className="worklist">
      {studies.map((study) => (
        <StudyRow key={study.id} study={study} />
      ))}
    </WideTable>
  );
}

function StudyRow({ study }: { study: Study }) {
  const translator = useTranslator();
  const { id, study_date, images, status, progress, problem } = study;
  const reason = attentionReason(study);
  return (
    <tr>
      <td>{status === "finished" ? <StudyThumbnail study={study} /> : null}</td>
      <th scope="row">
        <Link to={`/studies/${id}`}>{studyTitle(translator, study)}</Link>
        <p className="quiet">{studyNumbers(study)}</p>
      </th>
      <td>{study_date ? translator.date(study_date) : ""}</td>
      <td>{images}</td>
      <td>
        {studyLine(translator, study)}
        {reason ? <p className="warning">{translator.text(reason)}</p> : null}
        {isActive(study) && progress.slices_total ? (
          <progress max={progress.slices_total} value={progress.slices_done} aria-label={translator.text("state")} />
        ) : null}
        {problem?.detail ? <ImageText className="warning" text={problem.detail} /> : null}
      </td>
    </tr>
  );
}
