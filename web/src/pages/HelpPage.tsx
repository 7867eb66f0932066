import { usePageTitle } from "../components/usePageTitle.ts";
import { useTranslator } from "../i18n/LanguageProvider.tsx";

export function HelpPage() {
  const translator = useTranslator();
  usePageTitle(translator.text("help"));
  return (
    <section className="text">
      <h1>{translator.text("help")}</h1>
      <p>{translator.text("helpText")}</p>
      <p>{translator.text("viewerHelp")}</p>
      <p>{translator.text("formats")}</p>
      <p>
        <a href="/docs">{translator.text("apiDocs")}</a>
      </p>
      <p className="notice">{translator.text("notice")}</p>
    </section>
  );
}
