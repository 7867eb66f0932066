import { useCallback } from "react";
import { dataOrThrow, type Destination, type HeparClient, type Send, type StudyResult } from "../../api.ts";
import { ErrorBox } from "../../components/ErrorBox.tsx";
import { useAction } from "../../components/useAction.ts";
import { useInterval } from "../../components/useInterval.ts";
import { useResource } from "../../components/useResource.ts";
import { useTranslator } from "../../i18n/LanguageProvider.tsx";
import { useSession } from "../../session/SessionProvider.tsx";

const REFRESH_MS = 5000;

/** Sends the result to a destination of the operator, and shows what became of earlier sends. */
export function ReportSending({ result: { study_id, version } }: { result: StudyResult }) {
  const translator = useTranslator();
  const { hepar } = useSession();
  const { data, error, reload } = useResource(useCallback(() => load(hepar, study_id), [hepar, study_id]));
  useInterval(() => void reload(), REFRESH_MS);
  if (data?.destinations.length === 0 && data.sends.length === 0) return null;
  return (
    <section aria-labelledby="report-sending">
      <h2 id="report-sending">{translator.text("sendingPage")}</h2>
      <ErrorBox error={error} />
      <p className="quiet">{translator.text("sendHint")}</p>
      <div className="tools">
        {data?.destinations.map((destination) => (
          <SendButton key={destination.name} studyId={study_id} version={version} destination={destination} onSent={reload} />
        ))}
      </div>
      {data?.sends.length === 0 ? <p>{translator.text("noSendsOfStudy")}</p> : null}
      <ul role="status" className="rows">
        {data?.sends.map((send) => (
          <SendState key={send.id} send={send} destinations={data.destinations} />
        ))}
      </ul>
    </section>
  );
}

async function load(hepar: HeparClient, studyId: string) {
  const params = { path: { study_id: studyId } };
  const [destinations, sends] = await Promise.all([hepar.GET("/v1/destinations"), hepar.GET("/v1/studies/{study_id}/sends", { params })]);
  return { destinations: dataOrThrow(destinations).items, sends: dataOrThrow(sends).items };
}

interface SendButtonProps {
  studyId: string;
  version: number;
  destination: Destination;
  onSent(): Promise<void>;
}

function SendButton({ studyId, version, destination: { name, title }, onSent }: SendButtonProps) {
  const translator = useTranslator();
  const { hepar } = useSession();
  const { busy, error, run } = useAction(async () => {
    const params = { path: { study_id: studyId } };
    dataOrThrow(await hepar.POST("/v1/studies/{study_id}/sends", { params, body: { destination: name, version } }));
    await onSent();
  });
  return (
    <>
      <button type="button" disabled={busy} onClick={run}>
        {translator.text("sendTo", { destination: title })}
      </button>
      <ErrorBox error={error} />
    </>
  );
}

function SendState({ send, destinations }: { send: Send; destinations: readonly Destination[] }) {
  const translator = useTranslator();
  const title = destinations.find(({ name }) => name === send.destination)?.title ?? send.destination;
  const facts = [
    translator.term(`send_${send.status}`),
    translator.dateTime(send.ended_at ?? send.created_at),
    translator.text("resultNumber", { version: send.version }),
    send.automatic ? translator.text("automatically") : null,
  ];
  return (
    <li>
      <span>
        {title}: {facts.filter(Boolean).join(", ")}
      </span>
      {send.reason ? (
        <span className="quiet" lang="en">
          {send.reason}
        </span>
      ) : null}
    </li>
  );
}
