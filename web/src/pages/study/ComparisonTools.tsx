import type { Study, StudyResult } from "../../api.ts";
import type { MessageKey } from "../../i18n/en.ts";
import { useTranslator } from "../../i18n/LanguageProvider.tsx";
import type { Translator } from "../../i18n/translator.ts";
import { studyTitle } from "../../studies/words.ts";
import type { Candidate, Choice } from "./useComparison.ts";

interface ComparisonToolsProps {
  candidates: readonly Candidate[];
  choice: Choice;
  onChoice(choice: Choice): void;
  linked: boolean;
  onLinked(linked: boolean): void;
  /** Both panes show the same slices: they cannot be scrolled apart. */
  shared: boolean;
}

/** Which study is in the second pane. */
export function ComparisonTools({ candidates, choice, onChoice, linked, onLinked, shared }: ComparisonToolsProps) {
  const translator = useTranslator();
  return (
    <div className="tools">
      <label>
        {translator.text("compareWith")}
        <select value={choice} onChange={(event) => onChoice(event.target.value)}>
          <option value="">{translator.text("compareSame")}</option>
          {candidates.map(({ choice: value, study, version }) => (
            <option key={value} value={value}>
              {[studyTitle(translator, study), study.study_date ? translator.date(study.study_date) : null, versionText(translator, version)]
                .filter(Boolean)
                .join(" · ")}
            </option>
          ))}
        </select>
      </label>
      {shared ? null : (
        <label>
          <input type="checkbox" checked={linked} onChange={(event) => onLinked(event.target.checked)} />
          {translator.text("scrollTogether")}
        </label>
      )}
    </div>
  );
}

/** What both panes are called. chosen: the candidate in the second pane; undefined for the same result. */
export function titlesOf(translator: Translator, own: Study | undefined, chosen: Candidate | undefined, result: StudyResult): readonly [string, string] {
  if (own === undefined || chosen === undefined) return [titleOf(translator, result), titleOf(translator, result)];
  if (chosen.study.id === own.id) return [titleOf(translator, result), versionText(translator, chosen.version)];
  const named = (role: MessageKey, { study_date }: Study) => [translator.text(role), study_date ? translator.date(study_date) : null].filter(Boolean).join(", ");
  return [named("paneCurrent", own), named(roleOf(own.study_date, chosen.study.study_date), chosen.study)];
}

/** Dates: YYYY-MM-DD. */
function roleOf(own: string | null | undefined, other: string | null | undefined): MessageKey {
  if (!own || !other || own === other) return "paneOther";
  return other < own ? "panePrior" : "paneLater";
}

function titleOf(translator: Translator, { version, created_at }: StudyResult): string {
  return `${versionText(translator, version)}, ${translator.date(created_at.slice(0, 10))}`;
}

function versionText(translator: Translator, version: number): string {
  return translator.text("studyVersion", { version });
}
