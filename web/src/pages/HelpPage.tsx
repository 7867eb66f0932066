import { KeyList } from "../components/KeyList.tsx";
import { usePageTitle } from "../components/usePageTitle.ts";
import { useTranslator } from "../i18n/LanguageProvider.tsx";

const MEANINGS = [
  ["out_of_scope", "helpOutOfScope"],
  ["indeterminate", "helpIndeterminate"],
  ["type_undecided", "helpTypeUndecided"],
] as const;

export function HelpPage() {
  const translator = useTranslator();
  usePageTitle(translator.text("help"));
  return (
    <section className="text">
      <h1>{translator.text("help")}</h1>
      <h2>{translator.text("results")}</h2>
      <p>{translator.text("helpText")}</p>
      <dl className="meanings">
        {MEANINGS.map(([term, meaning]) => (
          <div key={term}>
            <dt>{translator.term(term)}</dt>
            <dd>{translator.text(meaning)}</dd>
          </div>
        ))}
      </dl>
      <p>{translator.text("helpReliability")}</p>
      <h2>{translator.text("mouseAndKeys")}</h2>
      <h3>{translator.text("images")}</h3>
      <KeyList text="viewerHelp" />
      <h3>{translator.text("studies")}</h3>
      <KeyList text="volumeHelp" />
      <h2>{translator.text("files")}</h2>
      <p>{translator.text("formats")}</p>
      <p>{translator.text("helpStudyFiles")}</p>
      <p>
        <a href="/docs">{translator.text("apiDocs")}</a>
      </p>
    </section>
  );
}
