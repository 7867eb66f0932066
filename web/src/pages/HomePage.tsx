import { Link } from "react-router";
import { usePageTitle } from "../components/usePageTitle.ts";
import { useTranslator } from "../i18n/LanguageProvider.tsx";
import { useSession } from "../session/SessionProvider.tsx";

export function HomePage() {
  const translator = useTranslator();
  const { account } = useSession();
  usePageTitle(translator.text("home"));
  return (
    <section className="home">
      <h1>Hepar</h1>
      <p className="lead">{translator.text("tagline")}</p>
      <p className="notice">{translator.text("notice")}</p>
      <p>
        <Link className="button primary" to={account ? "/studies" : "/sign-in"}>
          {translator.text(account ? "studies" : "signIn")}
        </Link>
        <Link className="button" to={account ? "/upload" : "/sign-up"}>
          {translator.text(account ? "startAnalysis" : "signUp")}
        </Link>
      </p>
      <div className="cards">
        <article>
          <h2>{translator.text("aboutTitle")}</h2>
          <p>{translator.text("aboutText")}</p>
        </article>
        <article>
          <h2>{translator.text("limitsTitle")}</h2>
          <p>{translator.text("limitsText")}</p>
        </article>
      </div>
    </section>
  );
}
