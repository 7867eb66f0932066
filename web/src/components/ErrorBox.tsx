/** An error in the user's language, with what to do next. */
import { HeparProblem, type FieldError, type Problem } from "../api.ts";
import { deFieldErrors, deProblems } from "../i18n/deProblems.ts";
import { germanText } from "../i18n/dePatterns.ts";
import type { MessageKey } from "../i18n/en.ts";
import { useTranslator } from "../i18n/LanguageProvider.tsx";
import { ImageText } from "./ImageText.tsx";

const PROBLEM_PAGES = "/problems/";
/** By the JSON Pointer of the field. */
const FIELD_LABELS: Record<string, MessageKey> = {
  "/email": "email",
  "/username": "email",
  "/password": "password",
  "/current_password": "currentPassword",
  "/new_password": "newPassword",
  "/name": "name",
  "/code": "code",
  "/otp": "code",
  "/image": "file",
};

interface ErrorBoxProps {
  /** undefined shows nothing. Anything but a HeparProblem means that the gateway did not respond; offline, the frame of the page says so. */
  error: unknown;
  /** false in lists of files, of which many can fail: a count is announced instead. */
  announced?: boolean;
}

export function ErrorBox({ error, announced = true }: ErrorBoxProps) {
  const translator = useTranslator();
  if (error === undefined) return null;
  const role = announced ? "alert" : undefined;
  if (error instanceof HeparProblem) return <ProblemBox problem={error.problem} role={role} />;
  if (!navigator.onLine) return null;
  return (
    <div className="error" role={role}>
      <strong>{translator.text("serverDown")}</strong>
    </div>
  );
}

function ProblemBox({ problem, role }: { problem: Problem; role: "alert" | undefined }) {
  const translator = useTranslator();
  const { title, type, request_id: id } = problem;
  const translated = translator.language === "de" ? deProblems[type.slice(PROBLEM_PAGES.length)] : undefined;
  return (
    <div className="error" role={role}>
      <strong>{translated?.title ?? title}</strong>
      {translated ? <p>{translated.remedy}</p> : null}
      <Details problem={problem} />
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

/** The invalid fields; without any, the detail, which repeats them otherwise. */
function Details({ problem: { title, detail, errors } }: { problem: Problem }) {
  if (errors && errors.length > 0) {
    return (
      <ul>
        {errors.map((field) => (
          <InvalidField key={`${field.location}${field.pointer} ${field.code}`} field={field} />
        ))}
      </ul>
    );
  }
  return detail && detail !== title ? <Detail text={detail} /> : null;
}

/** In German, the English text stays available: it is what logs and the documentation state. */
function Detail({ text }: { text: string }) {
  const translator = useTranslator();
  return (
    <>
      <ImageText text={text} />
      {translator.language !== "en" && germanText(text) !== undefined ? (
        <details>
          <summary>{translator.text("inEnglish")}</summary>
          <p lang="en">{text}</p>
        </details>
      ) : null}
    </>
  );
}

function InvalidField({ field: { pointer, code, message } }: { field: FieldError }) {
  const translator = useTranslator();
  const label = FIELD_LABELS[pointer];
  const name = label ? translator.text(label) : pointer;
  const translated = translator.language === "de" ? deFieldErrors[code] : undefined;
  return (
    <li>
      {name ? `${name}: ` : ""}
      {translated ?? <span lang="en">{message}</span>}
    </li>
  );
}
