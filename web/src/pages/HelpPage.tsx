import { usePageTitle } from "../components/usePageTitle.ts";
import { useTranslator } from "../i18n/LanguageProvider.tsx";

export function HelpPage() {
  const translator = useTranslator();
  usePageTitle(translator.text("help"));
  return (
    <section className="text">
      <h1>{translator.text("help")}</h1>
      <h2>{translator.text("results")}</h2>
      <p>{translator.text("helpText")}</p>
      <h2>{translator.text("mouseAndKeys")}</h2>
      <h3>{translator.text("images")}</h3>
      <p>{translator.text("viewerHelp")}</p>
      <h3>{translator.text("studies")}</h3>
      <p>{translator.text("volumeHelp")}</p>
      <h2>{translator.text("files")}</h2>
      <p>{translator.text("formats")}</p>
      <p>
        <a href="/docs">{translator.text("apiDocs")}</a>
      </p>
      <p className="notice">{translator.text("notice")}</p>
    </section>
  );
}
