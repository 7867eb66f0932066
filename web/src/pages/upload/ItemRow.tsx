import { Link } from "react-router";
import { ErrorBox } from "../../components/ErrorBox.tsx";
import { ImageText } from "../../components/ImageText.tsx";
import type { Text } from "../../files/picture.ts";
import { useTranslator } from "../../i18n/LanguageProvider.tsx";
import { isInFlight, type QueueItem } from "../../queue/items.ts";
import { summaryOf } from "../../queue/rows.ts";
import type { UploadQueue } from "../../queue/UploadQueue.ts";
import { warningsOf } from "../../results.ts";
import { Thumbnail } from "./Thumbnail.tsx";

interface ItemRowProps {
  item: QueueItem;
  queue: UploadQueue;
}

export function ItemRow({ item, queue }: ItemRowProps) {
  const translator = useTranslator();
  return (
    <tr>
      <td>
        <Thumbnail item={item} />
      </td>
      <th scope="row">
        {item.name}
        <Facts facts={item.inspection?.facts ?? []} />
      </th>
      <ResultCells item={item} />
      <td className="actions">
        <ItemActions item={item} queue={queue} />
        <button type="button" onClick={() => queue.remove(item.id)} aria-label={translator.text("remove", { name: item.name })}>
          ×
        </button>
      </td>
    </tr>
  );
}

export function Facts({ facts }: { facts: readonly Text[] }) {
  const translator = useTranslator();
  return <div className="quiet">{facts.map(({ key, values }) => translator.text(key, values)).join(" · ")}</div>;
}

/** State, result, probability and number of lesions of one image. */
export function ResultCells({ item }: { item: QueueItem }) {
  const translator = useTranslator();
  const { decision, probability, probable, boxes } = summaryOf(item);
  return (
    <>
      <td>
        <State item={item} />
      </td>
      <td>
        {decision ? translator.term(decision) : ""}
        {warningsOf(item.analysis).map((warning) => (
          <ImageText key={warning} className="warning" text={warning} />
        ))}
      </td>
      <td>
        {probability === undefined ? "" : translator.probability(probability)}
        {probable === undefined || probable === decision ? null : <p className="quiet">{translator.term(probable)}</p>}
      </td>
      <td>{boxes}</td>
    </>
  );
}

function State({ item }: { item: QueueItem }) {
  const translator = useTranslator();
  const { state, progress, inspection, error, name } = item;
  if (inspection?.refusal) return <span className="warning">{translator.text(inspection.refusal.key, inspection.refusal.values)}</span>;
  return (
    <>
      <span>{state === "sending" ? translator.text("sending", { percent: translator.percent(progress) }) : translator.text(state)}</span>
      {state === "failed" ? <ErrorBox error={error} announced={false} /> : null}
      {isInFlight(item) ? <progress max={1} value={progress} aria-label={name} /> : null}
    </>
  );
}

export function ItemActions({ item, queue }: ItemRowProps) {
  const translator = useTranslator();
  const { id, state } = item;
  return (
    <>
      {state === "done" ? <Link to={`/results/${id}`}>{translator.text("open")}</Link> : null}
      {isInFlight(item) ? (
        <button type="button" onClick={() => queue.cancel(id)}>
          {translator.text("cancel")}
        </button>
      ) : null}
      {state === "failed" || state === "cancelled" ? (
        <button type="button" onClick={() => queue.retry(id)}>
          {translator.text("retry")}
        </button>
      ) : null}
    </>
  );
}
