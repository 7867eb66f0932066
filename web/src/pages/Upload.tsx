/** Choose, see, send: one image or many. */
import { useEffect, useRef, useState, type ChangeEvent, type DragEvent } from "react";
import { Link } from "react-router";
import { labelled, probable, useSay } from "../i18n.tsx";
import { TroubleBox, troubleOf } from "../problems.tsx";
import { asCsv, useEntries, type Entry, type Queue } from "../queue.ts";
import { isProblem } from "../session.tsx";
import { Slice } from "../viewer/slice.ts";
import { save } from "./Result.tsx";

type Column = "file" | "state" | "verdict" | "probability" | "boxes";

export default function Upload({ queue }: { queue: Queue }) {
  const say = useSay();
  const entries = useEntries(queue);
  const [over, setOver] = useState(false);
  const [words, setWords] = useState("");
  const [sort, setSort] = useState<{ column: Column; down: boolean }>();
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => {
    const paste = (event: ClipboardEvent) => {
      if (event.clipboardData && event.clipboardData.files.length > 0) queue.add(event.clipboardData.files);
    };
    document.addEventListener("paste", paste);
    return () => document.removeEventListener("paste", paste);
  }, [queue]);
  const ready = entries.filter((entry) => entry.state === "waiting" && entry.looked?.refusal === undefined).length;
  const finished = entries.filter((entry) => ["done", "failed", "cancelled"].includes(entry.state)).length;
  const shown = sorted(
    entries.filter((entry) => `${entry.file.name} ${said(entry).verdict}`.toLowerCase().includes(words.toLowerCase())),
    sort,
  );
  function drop(event: DragEvent) {
    event.preventDefault();
    setOver(false);
    queue.add(event.dataTransfer.files);
  }
  function chosen(event: ChangeEvent<HTMLInputElement>) {
    if (event.target.files) queue.add(event.target.files);
    event.target.value = "";
  }
  return (
    <section>
      <h1>{say("upload")}</h1>
      <div
        className={over ? "drop over" : "drop"}
        onDragOver={(event) => {
          event.preventDefault();
          setOver(true);
        }}
        onDragLeave={() => setOver(false)}
        onDrop={drop}
      >
        <p>{say("drop")}</p>
        <button type="button" onClick={() => input.current?.click()}>
          {say("choose")}
        </button>
        <input ref={input} className="unseen" type="file" multiple onChange={chosen} aria-label={say("choose")} tabIndex={-1} />
        <p className="quiet">{say("formats")}</p>
      </div>
      {entries.length > 0 ? (
        <>
          <div className="tools">
            <button type="button" className="primary" disabled={ready === 0} onClick={() => queue.start()}>
              {say("analyseAll", { count: ready })}
            </button>
            <button type="button" onClick={() => queue.clear()}>
              {say("clear")}
            </button>
            <button type="button" disabled={finished === 0} onClick={() => save("hepar.csv", asCsv(entries), "text/csv")}>
              {say("exportCsv")}
            </button>
            <label>
              {say("filter")} <input type="search" value={words} onChange={(event) => setWords(event.target.value)} />
            </label>
            <progress max={entries.length} value={finished} aria-label={say("state")} />
          </div>
          <div className="wide" tabIndex={0} role="region" aria-label={say("upload")}>
            <table className="queue">
              <thead>
                <tr>
                  <th />
                  {(["file", "state", "verdict", "probability", "boxes"] as const).map((column) => (
                    <th
                      key={column}
                      scope="col"
                      aria-sort={sort?.column === column ? (sort.down ? "descending" : "ascending") : "none"}
                    >
                      <button
                        type="button"
                        className="plain"
                        onClick={() => setSort({ column, down: sort?.column === column && !sort.down })}
                      >
                        {say(column)}
                      </button>
                    </th>
                  ))}
                  <th />
                </tr>
              </thead>
              <tbody>
                {shown.map((entry) => (
                  <Row key={entry.id} entry={entry} queue={queue} />
                ))}
              </tbody>
            </table>
          </div>
        </>
      ) : null}
    </section>
  );
}

function said(entry: Entry) {
  const classification = entry.analysis && !isProblem(entry.analysis.classification) ? entry.analysis.classification : undefined;
  const detection = entry.analysis && !isProblem(entry.analysis.detection) ? entry.analysis.detection : undefined;
  return {
    verdict: classification?.label ?? classification?.outcome ?? "",
    probability: classification?.probability ?? undefined,
    boxes: detection?.boxes.length,
  };
}

function sorted(entries: Entry[], sort: { column: Column; down: boolean } | undefined): Entry[] {
  if (sort === undefined) return entries;
  const key = (entry: Entry): string | number => {
    if (sort.column === "file") return entry.file.name;
    if (sort.column === "state") return entry.state;
    return said(entry)[sort.column] ?? -1;
  };
  const order = (one: Entry, other: Entry) => {
    const [left, right] = [key(one), key(other)];
    return typeof left === "string" ? left.localeCompare(String(right), undefined, { numeric: true }) : left - Number(right);
  };
  return entries.toSorted((one, other) => (sort.down ? order(other, one) : order(one, other)));
}

function Row({ entry, queue }: { entry: Entry; queue: Queue }) {
  const say = useSay();
  const { verdict, probability, boxes } = said(entry);
  const refusal = entry.looked?.refusal;
  const under = entry.state === "sending" || entry.state === "working";
  return (
    <tr>
      <td>
        <Thumbnail entry={entry} />
      </td>
      <th scope="row">
        {entry.file.name}
        <div className="quiet">{entry.looked?.facts.map(([name, value]) => `${name} ${value}`.trim()).join(" · ")}</div>
      </th>
      <td>
        {refusal ? (
          <span className="warning">{say(refusal.word, refusal.values)}</span>
        ) : (
          <span role="status">{entry.state === "sending" ? say("sending", { percent: entry.percent }) : say(entry.state)}</span>
        )}
        {entry.state === "failed" ? <TroubleBox trouble={troubleOf(entry.error, say)} /> : null}
        {under ? <progress max={100} value={entry.percent} aria-label={entry.file.name} /> : null}
      </td>
      <td>{verdict ? labelled(say, verdict) : ""}</td>
      <td>{probability === undefined ? "" : probable(probability)}</td>
      <td>{boxes}</td>
      <td className="acts">
        {entry.state === "done" ? <Link to={`/results/${entry.id}`}>{say("open")}</Link> : null}
        {under ? (
          <button type="button" onClick={() => queue.cancel(entry.id)}>
            {say("cancel")}
          </button>
        ) : null}
        {entry.state === "failed" || entry.state === "cancelled" ? (
          <button type="button" onClick={() => queue.retry(entry.id)}>
            {say("retry")}
          </button>
        ) : null}
        <button type="button" onClick={() => queue.remove(entry.id)} aria-label={`${say("remove")}: ${entry.file.name}`}>
          ×
        </button>
      </td>
    </tr>
  );
}

function Thumbnail({ entry }: { entry: Entry }) {
  const say = useSay();
  const canvas = useRef<HTMLCanvasElement>(null);
  const picture = entry.looked?.picture;
  useEffect(() => {
    const context = canvas.current?.getContext("2d");
    if (!picture || !context) return;
    context.drawImage(new Slice(picture).through(picture.window, false), 0, 0, 64, 64);
  }, [picture]);
  if (entry.looked === undefined || entry.looked.refusal) return null;
  if (picture === undefined) return <span className="quiet">{say("noPreview")}</span>;
  return <canvas ref={canvas} width={64} height={64} aria-hidden="true" />;
}
