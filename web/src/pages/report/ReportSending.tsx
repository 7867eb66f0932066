import { useCallback, useState } from "react";
import { dataOrThrow, type Destination, type HeparClient, type Send, type StudyResult } from "../../api.ts";
import { ErrorBox } from "../../components/ErrorBox.tsx";
import { ServerPhrase } from "../../components/ImageText.tsx";
import { useInterval } from "../../components/useInterval.ts";
import { useResource } from "../../components/useResource.ts";
import { useTranslator } from "../../i18n/LanguageProvider.tsx";
import { LANGUAGE_NAMES } from "../../i18n/languages.ts";
import type { Translator } from "../../i18n/translator.ts";
import { useSession } from "../../session/SessionProvider.tsx";
import type { ReportOptions } from "../../studies/reportOptions.ts";
import { SEND_STATUSES } from "../../studies/sends.ts";
import { SendDialog } from "./SendDialog.tsx";

const REFRESH_MS = 5000;

interface ReportSendingProps {
  result: StudyResult;
  options: ReportOptions;
}

/** Sends the result to a destination of the operator, and shows what became of earlier sends. */
export function ReportSending({ result, options }: ReportSendingProps) {
  const translator = useTranslator();
  const { hepar } = useSession();
  const { data, error, reload } = useResource(useCallback(() => load(hepar, result.study_id), [hepar, result.study_id]));
  const [chosen, setChosen] = useState<Destination>();
  useInterval(() => void reload(), REFRESH_MS);
  if (data?.destinations.length === 0 && data.sends.length === 0) return null;
  return (
    <section aria-labelledby="report-sending">
      <h2 id="report-sending">{translator.text("sendingPage")}</h2>
      <ErrorBox error={error} />
      <p className="quiet">{translator.text("sendHint")}</p>
      <div className="tools">
        {data?.destinations.map((destination) => (
          <button type="button" key={destination.name} onClick={() => setChosen(destination)}>
            {translator.text("sendTo", { destination: destination.title })}
          </button>
        ))}
      </div>
      <p role="status">{data ? sendCounts(translator, data.sends) : null}</p>
      <ul className="rows">
        {data?.sends.map((send) => (
          <SendState key={send.id} send={send} destinations={data.destinations} />
        ))}
      </ul>
      {chosen ? (
        <SendDialog
          result={result}
          options={options}
          destination={chosen}
          onClose={() => setChosen(undefined)}
          onSent={() => void reload()}
        />
      ) : null}
    </section>
  );
}

/** Announced instead of each send. */
function sendCounts(translator: Translator, sends: readonly Send[]): string {
  if (sends.length === 0) return translator.text("noSendsOfStudy");
  const counts = SEND_STATUSES.map((status) => [status, sends.filter((send) => send.status === status).length] as const);
  return counts.flatMap(([status, count]) => (count > 0 ? [`${count} ${translator.term(`send_${status}`)}`] : [])).join(", ");
}

async function load(hepar: HeparClient, studyId: string) {
  const params = { path: { study_id: studyId } };
  const [destinations, sends] = await Promise.all([hepar.GET("/v1/destinations"), hepar.GET("/v1/studies/{study_id}/sends", { params })]);
  return { destinations: dataOrThrow(destinations).items, sends: dataOrThrow(sends).items };
}

function SendState({ send, destinations }: { send: Send; destinations: readonly Destination[] }) {
  const translator = useTranslator();
  const title = destinations.find(({ name }) => name === send.destination)?.title ?? send.destination;
  return (
    <li>
      <span>
        {title}: {[...stateFacts(translator, send), ...contentFacts(translator, send)].join(", ")}
      </span>
      {send.reason ? <ServerPhrase className="quiet" text={send.reason} /> : null}
    </li>
  );
}

/** Where it is in the queue. */
function stateFacts(translator: Translator, { status, attempts, created_at, ended_at, next_attempt_at }: Send): string[] {
  const tried = status === "waiting" && attempts > 0;
  return [
    translator.term(`send_${status}`),
    translator.dateTime(ended_at ?? created_at),
    ...(tried ? [translator.text("attemptsSoFar", { count: attempts })] : []),
    ...(tried && next_attempt_at ? [translator.text("nextAttempt", { time: translator.dateTime(next_attempt_at) })] : []),
  ];
}

/** What was chosen for it. */
function contentFacts(translator: Translator, { version, automatic, language, key_slices }: Send): string[] {
  return [
    translator.text("resultNumber", { version }),
    ...(language ? [LANGUAGE_NAMES[language]] : []),
    ...(key_slices ? [translator.text("keyImagesOf", { slices: key_slices.map((index) => index + 1).join(", ") })] : []),
    ...(automatic ? [translator.text("automatically")] : []),
  ];
}
