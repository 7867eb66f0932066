/** A multi-frame file: one row for the file, and on request one row per frame. There is no result for the file as a whole. */
import { useState } from "react";
import { Link } from "react-router";
import { useTranslator } from "../../i18n/LanguageProvider.tsx";
import { countOf, type QueueItem } from "../../queue/items.ts";
import { decisionCounts, summaryOf } from "../../queue/rows.ts";
import type { UploadQueue } from "../../queue/UploadQueue.ts";
import { FrameRange } from "./FrameRange.tsx";
import { Facts, ItemActions, ResultCells } from "./ItemRow.tsx";
import { Thumbnail } from "./Thumbnail.tsx";

interface SeriesProps {
  seriesId: string;
  frames: readonly QueueItem[];
  queue: UploadQueue;
}

export function SeriesRows(props: SeriesProps) {
  const [expanded, setExpanded] = useState(false);
  return (
    <>
      <SeriesRow {...props} expanded={expanded} onExpand={() => setExpanded(!expanded)} />
      {expanded ? props.frames.map((item) => <FrameRow key={item.id} item={item} queue={props.queue} />) : null}
    </>
  );
}

interface SeriesRowProps extends SeriesProps {
  expanded: boolean;
  onExpand(): void;
}

function SeriesRow({ seriesId, frames, queue, expanded, onExpand }: SeriesRowProps) {
  const translator = useTranslator();
  const [first] = frames;
  const firstDone = frames.find((item) => item.state === "done");
  const remove = () => queue.remove(...frames.map((item) => item.id));
  if (first === undefined) return null;
  return (
    <tr>
      <td>
        <Thumbnail item={first} />
      </td>
      <th scope="row">
        {first.name}
        <Facts facts={first.inspection?.facts ?? []} />
        <div>{translator.text("seriesNotice", { count: first.frame?.count ?? frames.length })}</div>
        <FrameRange seriesId={seriesId} frames={frames} queue={queue} />
        <button type="button" aria-expanded={expanded} onClick={onExpand}>
          {translator.text("showFrames")}
        </button>
      </th>
      <SeriesCells frames={frames} />
      <td className="actions">
        {firstDone ? <Link to={`/results/${firstDone.id}`}>{translator.text("open")}</Link> : null}
        <button type="button" onClick={remove} aria-label={translator.text("remove", { name: first.name })}>
          ×
        </button>
      </td>
    </tr>
  );
}

/** Progress, how many frames have each decision, and the number of lesions in all frames. */
function SeriesCells({ frames }: { frames: readonly QueueItem[] }) {
  const translator = useTranslator();
  const selected = frames.filter((item) => item.state !== "excluded");
  const failed = countOf(selected, "failed");
  const boxes = frames.map((item) => summaryOf(item).boxes).filter((count) => count !== undefined);
  return (
    <>
      <td>
        {translator.text("seriesProgress", { finished: countOf(selected, "done"), count: selected.length })}
        {failed > 0 ? <div className="warning">{translator.text("seriesFailed", { count: failed })}</div> : null}
      </td>
      <td>
        {decisionCounts(frames).map(([decision, count]) => (
          <div key={decision}>
            {translator.term(decision)}: {translator.text("frames", { count })}
          </div>
        ))}
      </td>
      <td />
      <td>{boxes.length > 0 ? boxes.reduce((sum, count) => sum + count, 0) : ""}</td>
    </>
  );
}

function FrameRow({ item, queue }: { item: QueueItem; queue: UploadQueue }) {
  const translator = useTranslator();
  return (
    <tr className="frame-row">
      <td />
      <th scope="row">
        {translator.text("frame")} {(item.frame?.index ?? 0) + 1}
      </th>
      <ResultCells item={item} />
      <td className="actions">
        <ItemActions item={item} queue={queue} />
      </td>
    </tr>
  );
}
