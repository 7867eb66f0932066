import { Link } from "react-router";
import { usePageTitle } from "../components/usePageTitle.ts";
import { useTranslator } from "../i18n/LanguageProvider.tsx";

export function NotFoundPage() {
  const translator = useTranslator();
  usePageTitle(translator.text("notFound"));
  return (
    <section className="empty">
      <h1>{translator.text("notFound")}</h1>
      <Link className="button" to="/">
        {translator.text("home")}
      </Link>
    </section>
  );
}
