/** Destinations with their test, and the queue of sends. */
import { useCallback, useState } from "react";
import { Link } from "react-router";
import { dataOrThrow, type Destination, type HeparClient, type Send, type Study } from "../../api.ts";
import { ErrorBox } from "../../components/ErrorBox.tsx";
import { ImageText } from "../../components/ImageText.tsx";
import { Choice } from "../../components/form.tsx";
import { useAction } from "../../components/useAction.ts";
import { useInterval } from "../../components/useInterval.ts";
import { useResource } from "../../components/useResource.ts";
import { WideTable } from "../../components/WideTable.tsx";
import { useTranslator } from "../../i18n/LanguageProvider.tsx";
import { useSession } from "../../session/SessionProvider.tsx";
import { SEND_STATUSES } from "../../studies/sends.ts";
import { useStudiesById } from "../../studies/useStudiesById.ts";
import { studyNumbers, studyTitle } from "../../studies/words.ts";

const REFRESH_MS = 10_000;

export function SendingPage() {
  const translator = useTranslator();
  const { hepar } = useSession();
  const [retried, setRetried] = useState(0);
  const [status, setStatus] = useState<Send["status"] | "">("failed");
  const [after, setAfter] = useState<string>();
  const { data, error, reload } = useResource(useCallback(() => load(hepar, status, after), [hepar, status, after]));
  useInterval(() => void reload(), REFRESH_MS);
  function onStatus(changed: Send["status"] | ""): void {
    setAfter(undefined);
    setStatus(changed);
    setRetried(0);
  }
  async function onRetried(): Promise<void> {
    setRetried((count) => count + 1);
    await reload();
  }
  return (
    <>
      <ErrorBox error={error} />
      {data ? <Destinations items={data.destinations} onChanged={reload} /> : null}
      <StatusFilter status={status} onChange={onStatus} />
      <p role="status">{retried > 0 ? translator.text("retriedSends", { count: retried }) : null}</p>
      {data ? <Sends items={data.sends.items} destinations={data.destinations} onRetried={onRetried} /> : null}
      <Paging next={data?.sends.next} first={after === undefined} onPage={setAfter} />
    </>
  );
}

async function load(hepar: HeparClient, status: Send["status"] | "", after: string | undefined) {
  const query = { ...(status ? { status } : {}), ...(after ? { after } : {}) };
  const [destinations, sends] = await Promise.all([hepar.GET("/v1/destinations"), hepar.GET("/v1/sends", { params: { query } })]);
  return { destinations: dataOrThrow(destinations).items, sends: dataOrThrow(sends) };
}

interface PagingProps {
  next: string | null | undefined;
  first: boolean;
  onPage(after: string | undefined): void;
}

function Paging({ next, first, onPage }: PagingProps) {
  const translator = useTranslator();
  return (
    <div className="tools">
      {first ? null : (
        <button type="button" onClick={() => onPage(undefined)}>
          {translator.text("newest")}
        </button>
      )}
      {next ? (
        <button type="button" onClick={() => onPage(next)}>
          {translator.text("more")}
        </button>
      ) : null}
    </div>
  );
}

function Destinations({ items, onChanged }: { items: readonly Destination[]; onChanged(): Promise<void> }) {
  const translator = useTranslator();
  return (
    <>
      <h2>{translator.text("destinations")}</h2>
      {items.length === 0 ? <p className="empty">{translator.text("noDestinations")}</p> : null}
      {items.length > 0 ? (
        <WideTable label={translator.text("destinations")} columns={["destination", "kind", "waitingSends", "failedSends", "lastSent", "actions"]} className="named stacked">
          {items.map((destination) => (
            <DestinationRow key={destination.name} destination={destination} onChanged={onChanged} />
          ))}
        </WideTable>
      ) : null}
    </>
  );
}

function DestinationRow({ destination: { name, kind, title, queue }, onChanged }: { destination: Destination; onChanged(): Promise<void> }) {
  const translator = useTranslator();
  const { hepar } = useSession();
  const params = { path: { destination_name: name } };
  const test = useAction(async () => {
    const { reachable, reason, duration_s } = dataOrThrow(await hepar.POST("/v1/destinations/{destination_name}/test", { params }));
    return reachable ? translator.text("reachable", { seconds: duration_s }) : translator.text("notReachable", { reason: reason ?? "" });
  });
  const retry = useAction(async () => {
    const { retried } = dataOrThrow(await hepar.POST("/v1/destinations/{destination_name}/retry", { params }));
    await onChanged();
    return translator.text("retriedSends", { count: retried });
  });
  return (
    <tr>
      <th scope="row">
        {title}
        {title === name ? null : <p className="quiet">{name}</p>}
      </th>
      <td className="nowrap">{translator.term(`destination_${kind}`)}</td>
      <td>{queue?.waiting}</td>
      <td className={queue?.failed ? "warning" : ""}>
        {queue?.failed}
        {queue?.last_reason ? <ImageText className="quiet" text={queue.last_reason} /> : null}
      </td>
      <td className="nowrap">{queue?.last_sent_at ? translator.dateTime(queue.last_sent_at) : translator.text("never")}</td>
      <td>
        <div className="tools">
          <button type="button" disabled={test.busy} aria-label={`${translator.text("test")}: ${title}`} onClick={test.run}>
            {translator.text("test")}
          </button>
          {queue?.failed ? (
            <button type="button" disabled={retry.busy} onClick={retry.run}>
              {translator.text("retryAll")}
            </button>
          ) : null}
        </div>
        <p role="status" className="quiet">
          {test.result ?? retry.result}
        </p>
        <ErrorBox error={test.error ?? retry.error} />
      </td>
    </tr>
  );
}

function StatusFilter({ status, onChange }: { status: Send["status"] | ""; onChange(status: Send["status"] | ""): void }) {
  const translator = useTranslator();
  return (
    <>
      <h2>{translator.text("sendQueue")}</h2>
      <div className="tools">
        <Choice
          label={translator.text("status")}
          value={status}
          values={SEND_STATUSES}
          text={(name) => translator.term(`send_${name}`)}
          onChange={onChange}
        />
      </div>
    </>
  );
}

interface SendsProps {
  items: readonly Send[];
  destinations: readonly Destination[];
  onRetried(): Promise<void>;
}

function Sends({ items, destinations, onRetried }: SendsProps) {
  const translator = useTranslator();
  const studies = useStudiesById(items.map(({ study_id }) => study_id));
  if (items.length === 0) return <p className="empty">{translator.text("noSends")}</p>;
  return (
    <WideTable label={translator.text("sendQueue")} columns={["time", "study", "destination", "status", "attempts", "actions"]} className="named stacked send-queue">
      {items.map((send) => (
        <SendRow key={send.id} send={send} study={studies.get(send.study_id)} destination={titleOf(send, destinations)} onRetried={onRetried} />
      ))}
    </WideTable>
  );
}

/** The name of one that the operator removed. */
function titleOf({ destination }: Send, destinations: readonly Destination[]): string {
  return destinations.find(({ name }) => name === destination)?.title ?? destination;
}

interface SendRowProps {
  send: Send;
  /** undefined until it is known, and where it was deleted. */
  study: Study | undefined;
  destination: string;
  onRetried(): Promise<void>;
}

function SendRow({ send, study, destination, onRetried }: SendRowProps) {
  const translator = useTranslator();
  const { hepar } = useSession();
  const retry = useAction(async () => {
    dataOrThrow(await hepar.POST("/v1/sends/{send_id}/retry", { params: { path: { send_id: send.id } } }));
    await onRetried();
  });
  return (
    <tr>
      <td className="nowrap">{translator.dateTime(send.created_at)}</td>
      <th scope="row">
        <Link to={`/studies/${send.study_id}`}>{study ? studyTitle(translator, study) : send.study_id.slice(0, 8)}</Link>
        <p className="quiet">
          {[study && studyNumbers(study), study?.study_date && translator.date(study.study_date), translator.text("resultNumber", { version: send.version })]
            .filter(Boolean)
            .join(" · ")}
        </p>
      </th>
      <td>{destination}</td>
      <td>
        {translator.term(`send_${send.status}`)}
        {send.reason ? <ImageText className="quiet" text={send.reason} /> : null}
      </td>
      <td>{send.attempts}</td>
      <td>
        {send.status === "failed" ? (
          <button type="button" disabled={retry.busy} onClick={retry.run}>
            {translator.text("retry")}
          </button>
        ) : null}
        <ErrorBox error={retry.error} />
      </td>
    </tr>
  );
}
