import type { StudyResult } from "../../api.ts";
import { useTranslator } from "../../i18n/LanguageProvider.tsx";
import type { Translator } from "../../i18n/translator.ts";
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
              {[study.name ?? study.patient_pseudonym, study.study_date ? translator.date(study.study_date) : null, versionText(translator, version)]
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

export function titleOf(translator: Translator, { version, created_at }: StudyResult): string {
  return `${versionText(translator, version)}, ${translator.date(created_at.slice(0, 10))}`;
}

function versionText(translator: Translator, version: number): string {
  return translator.text("studyVersion", { version });
}
