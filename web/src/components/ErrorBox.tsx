/** An error in the user's language, with what to do next. */
import { HeparProblem, type Problem } from "../api.ts";
import { deProblems } from "../i18n/deProblems.ts";
import { useTranslator } from "../i18n/LanguageProvider.tsx";

const PROBLEM_PAGES = "/problems/";

/** error: undefined shows nothing. Anything but a HeparProblem means that the gateway did not respond. */
export function ErrorBox({ error }: { error: unknown }) {
  const translator = useTranslator();
  if (error === undefined) return null;
  if (error instanceof HeparProblem) return <ProblemBox problem={error.problem} />;
  return (
    <div className="error" role="alert">
      <strong>{translator.text(navigator.onLine ? "serverDown" : "offline")}</strong>
    </div>
  );
}

function ProblemBox({ problem }: { problem: Problem }) {
  const translator = useTranslator();
  const { title, detail, type, request_id: id } = problem;
  const translated = translator.language === "de" ? deProblems[type.slice(PROBLEM_PAGES.length)] : undefined;
  return (
    <div className="error" role="alert">
      <strong>{translated?.title ?? title}</strong>
      {translated ? <p>{translated.remedy}</p> : null}
      {detail && detail !== title ? <p lang="en">{detail}</p> : null}
      {type.startsWith(PROBLEM_PAGES) ? (
        <p>
          <a href={type} target="_blank" rel="noreferrer">
            {translator.text("remedy")}
          </a>{" "}
          · {translator.text("requestId", { id })}
        </p>
      ) : null}
    </div>
  );
}
