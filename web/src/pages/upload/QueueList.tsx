import { useState } from "react";
import { columnLabels } from "../../components/columnLabels.ts";
import { download } from "../../components/download.ts";
import { useTranslator } from "../../i18n/LanguageProvider.tsx";
import { toCsv } from "../../queue/csv.ts";
import { countOf, isFinished, isInFlight, isReady, type QueueItem } from "../../queue/items.ts";
import { COLUMNS, filterRows, rowsOf, sortRows, type Column, type Row, type Sorting } from "../../queue/rows.ts";
import type { UploadQueue } from "../../queue/UploadQueue.ts";
import { ItemRow } from "./ItemRow.tsx";
import { SeriesRows } from "./SeriesRows.tsx";

interface QueueListProps {
  items: readonly QueueItem[];
  queue: UploadQueue;
}

export function QueueList({ items, queue }: QueueListProps) {
  const translator = useTranslator();
  const [filter, setFilter] = useState("");
  const [sorting, setSorting] = useState<Sorting>();
  const rows = sortRows(filterRows(rowsOf(items), filter, translator), sorting);
  return (
    <>
      <QueueTools items={items} queue={queue} filter={filter} onFilter={setFilter} />
      <div className="wide" tabIndex={0} role="region" aria-label={translator.text("upload")}>
        <table className="queue stacked" style={columnLabels(["", ...COLUMNS.map((column) => translator.text(column)), ""])}>
          <Head sorting={sorting} onSort={setSorting} />
          <tbody>
            {rows.map((row) => (
              <QueueRow key={row.id} row={row} queue={queue} />
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}

function QueueRow({ row: { items, id }, queue }: { row: Row; queue: UploadQueue }) {
  const [first] = items;
  if (first === undefined) return null;
  return first.frame ? <SeriesRows seriesId={id} frames={items} queue={queue} /> : <ItemRow item={first} queue={queue} />;
}

interface QueueToolsProps extends QueueListProps {
  filter: string;
  onFilter(filter: string): void;
}

function QueueTools({ items, queue, filter, onFilter }: QueueToolsProps) {
  const translator = useTranslator();
  const ready = items.filter(isReady).length;
  const finished = items.filter(isFinished).length;
  const failed = countOf(items, "failed");
  const selected = items.filter((item) => item.state !== "excluded" && item.inspection?.refusal === undefined).length;
  return (
    <div className="tools">
      <button type="button" className="primary" disabled={ready === 0} onClick={() => queue.start()}>
        {translator.text("analyseCount", { count: ready })}
      </button>
      <button type="button" onClick={() => queue.clear()}>
        {translator.text("clear")}
      </button>
      <button type="button" disabled={finished === 0} onClick={() => download("hepar.csv", toCsv(items), "text/csv")}>
        {translator.text("exportCsv")}
      </button>
      <label>
        {translator.text("filter")} <input type="search" value={filter} onChange={(event) => onFilter(event.target.value)} />
      </label>
      {/* Announced once for all files, when none is in flight. */}
      <span role="status" aria-busy={items.some(isInFlight)} className="quiet">
        {finished > 0 ? translator.text("seriesProgress", { finished: countOf(items, "done"), count: selected }) : ""}
        {failed > 0 ? `, ${translator.text("seriesFailed", { count: failed })}` : ""}
      </span>
      <progress max={Math.max(1, selected)} value={finished} aria-label={translator.text("state")} />
    </div>
  );
}

interface HeadProps {
  sorting: Sorting | undefined;
  onSort(sorting: Sorting): void;
}

function Head({ sorting, onSort }: HeadProps) {
  const translator = useTranslator();
  const order = (column: Column) => (sorting?.column !== column ? "none" : sorting.descending ? "descending" : "ascending");
  return (
    <thead>
      <tr>
        <th scope="col">
          <span className="unseen">{translator.text("preview")}</span>
        </th>
        {COLUMNS.map((column) => (
          <th key={column} scope="col" aria-sort={order(column)}>
            <button type="button" className="plain" onClick={() => onSort({ column, descending: order(column) === "ascending" })}>
              {translator.text(column)}
            </button>
          </th>
        ))}
        <th scope="col">
          <span className="unseen">{translator.text("actions")}</span>
        </th>
      </tr>
    </thead>
  );
}
