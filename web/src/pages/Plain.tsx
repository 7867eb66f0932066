import { Link } from "react-router";
import { useSay } from "../i18n.tsx";
import { useSession } from "../session.tsx";

export function Home() {
  const say = useSay();
  const { account } = useSession();
  return (
    <section className="home">
      <h1>Hepar</h1>
      <p className="lead">{say("tagline")}</p>
      <p className="notice">{say("notice")}</p>
      <p>
        <Link className="button primary" to={account ? "/upload" : "/sign-up"}>
          {account ? say("homeStart") : say("signUp")}
        </Link>
      </p>
      <div className="cards">
        <article>
          <h2>{say("homeWhat")}</h2>
          <p>{say("homeWhatText")}</p>
        </article>
        <article>
          <h2>{say("homeNot")}</h2>
          <p>{say("homeNotText")}</p>
        </article>
      </div>
    </section>
  );
}

export function Help() {
  const say = useSay();
  return (
    <section>
      <h1>{say("help")}</h1>
      <p>{say("helpText")}</p>
      <p>{say("viewerHelp")}</p>
      <p>{say("formats")}</p>
      <p>
        <a href="/docs">{say("apiDocs")}</a>
      </p>
      <p className="notice">{say("notice")}</p>
    </section>
  );
}

export function Nowhere() {
  const say = useSay();
  return (
    <section>
      <h1>{say("notFound")}</h1>
      <Link to="/">{say("home")}</Link>
    </section>
  );
}
