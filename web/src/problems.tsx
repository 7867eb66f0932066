/** Errors in plain words, with what to do next. */
import { useSay, type Say } from "./i18n.tsx";
import { HeparProblem } from "./session.tsx";

export interface Trouble {
  title: string;
  detail: string;
  /** A page of the gateway with cause and cure. */
  page?: string;
  requestId?: string;
}

export function troubleOf(error: unknown, say: Say): Trouble {
  if (error instanceof HeparProblem) {
    const { title, detail, type, request_id } = error.problem;
    return { title, detail, page: type, requestId: request_id };
  }
  if (!navigator.onLine) return { title: say("offline"), detail: "" };
  return { title: say("serverDown"), detail: "" };
}

export function TroubleBox({ trouble }: { trouble: Trouble | undefined }) {
  const say = useSay();
  if (trouble === undefined) return null;
  return (
    <div className="trouble" role="alert">
      <strong>{trouble.title}</strong>
      {trouble.detail && trouble.detail !== trouble.title ? <p>{trouble.detail}</p> : null}
      {trouble.page?.startsWith("/problems/") ? (
        <p>
          <a href={trouble.page} target="_blank" rel="noreferrer">
            {say("whatToDo")}
          </a>
          {trouble.requestId ? ` · ${say("requestId", { id: trouble.requestId })}` : ""}
        </p>
      ) : null}
    </div>
  );
}
