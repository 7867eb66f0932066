/** The audit log of accounts: filters in the address, newest first, export. */
import { useCallback, useState } from "react";
import { useSearchParams } from "react-router";
import { dataOrThrow, type AuditEvent, type HeparClient, type Schemas } from "../../api.ts";
import { download } from "../../components/download.ts";
import { ErrorBox } from "../../components/ErrorBox.tsx";
import { Choice, DayField } from "../../components/form.tsx";
import { useResource } from "../../components/useResource.ts";
import { WideTable } from "../../components/WideTable.tsx";
import { useTranslator } from "../../i18n/LanguageProvider.tsx";
import type { Translator } from "../../i18n/translator.ts";
import { useSession } from "../../session/SessionProvider.tsx";
import { AUDIT_EVENTS } from "./auditEvents.ts";
import { useAccountNames } from "./useAccountNames.ts";

const FILTERS = ["event", "account", "date_from", "date_to"] as const;

export function AuditPage() {
  const translator = useTranslator();
  const { hepar } = useSession();
  const [query, setQuery] = useSearchParams();
  const [after, setAfter] = useState<number>();
  const written = query.toString();
  const { data, error, setError } = useResource(
    useCallback(async () => {
      const paging = { order: "newest", ...(after === undefined ? {} : { after }) } as const;
      return dataOrThrow(await hepar.GET("/v1/audit", { params: { query: { ...filterOf(written), ...paging } } }));
    }, [hepar, written, after]),
  );
  function onFilter(name: (typeof FILTERS)[number], value: string): void {
    const changed = new URLSearchParams(query);
    if (value) changed.set(name, value);
    else changed.delete(name);
    setAfter(undefined);
    setQuery(changed, { replace: true });
  }
  async function exportAll(): Promise<void> {
    try {
      download("hepar-audit.csv", await exported(hepar, written), "text/csv");
    } catch (reason) {
      setError(reason);
    }
  }
  return (
    <>
      <Filters query={query} onFilter={onFilter} onExport={() => void exportAll()} />
      <ErrorBox error={error} />
      {data?.items.length === 0 ? <p className="empty">{translator.text("noEntries")}</p> : null}
      {data && data.items.length > 0 ? <AuditTable entries={data.items} /> : null}
      <div className="tools">
        {after === undefined ? null : (
          <button type="button" onClick={() => setAfter(undefined)}>
            {translator.text("newest")}
          </button>
        )}
        {data?.next ? (
          <button type="button" onClick={() => setAfter(Number(data.next))}>
            {translator.text("more")}
          </button>
        ) : null}
      </div>
    </>
  );
}

/** An address that was changed by hand may have a value that the server refuses with its reason. */
function filterOf(written: string): { event?: AuditEvent[]; account?: string; at_from?: string; at_to?: string } {
  const query = new URLSearchParams(written);
  const [event, account, first, last] = FILTERS.map((name) => query.get(name));
  return {
    ...(event ? { event: [event as AuditEvent] } : {}),
    ...(account ? { account } : {}),
    ...(first ? { at_from: midnight(first, 0) } : {}),
    ...(last ? { at_to: midnight(last, 1) } : {}),
  };
}

/** The beginning of a local day, or of one that many days later; the text itself where it is no day. */
function midnight(day: string, later: number): string {
  const at = new Date(`${day}T00:00`);
  if (Number.isNaN(at.getTime())) return day;
  at.setDate(at.getDate() + later);
  return at.toISOString();
}

async function exported(hepar: HeparClient, written: string): Promise<Blob> {
  return dataOrThrow<Blob>(await hepar.GET("/v1/audit.csv", { params: { query: filterOf(written) }, parseAs: "blob" }));
}

interface FiltersProps {
  query: URLSearchParams;
  onFilter(name: (typeof FILTERS)[number], value: string): void;
  onExport(): void;
}

function Filters({ query, onFilter, onExport }: FiltersProps) {
  const translator = useTranslator();
  const value = (name: (typeof FILTERS)[number]) => query.get(name) ?? "";
  return (
    <div className="tools" role="search">
      <Choice label={translator.text("event")} value={value("event")} values={AUDIT_EVENTS} text={(name) => translator.term(name)} onChange={(event) => onFilter("event", event)} />
      <DayField label={translator.text("dateFrom")} value={value("date_from")} onChange={(day) => onFilter("date_from", day)} />
      <DayField label={translator.text("dateTo")} value={value("date_to")} onChange={(day) => onFilter("date_to", day)} />
      {value("account") ? (
        <button type="button" onClick={() => onFilter("account", "")}>
          {translator.text("allAccounts")}
        </button>
      ) : null}
      <button type="button" onClick={onExport}>
        {translator.text("exportCsv")}
      </button>
    </div>
  );
}

/** Roles and states have names in every language; a group is what the administrator wrote. */
function detailText(translator: Translator, event: string, name: string, value: string): string {
  if (value === "") return translator.text("none");
  return event === "role_changed" || name === "role" || name === "status" ? translator.term(value) : value;
}

function AuditTable({ entries }: { entries: readonly Schemas["AuditEntry"][] }) {
  const translator = useTranslator();
  const names = useAccountNames(entries.flatMap(({ actor, subject }) => [actor, subject]));
  const named = (id: string | null | undefined) => (id ? (names.get(id) ?? id) : "");
  return (
    <WideTable label={translator.text("auditLog")} columns={["number", "time", "event", "actor", "subject", "origin", "details"]} className="audit stacked">
      {entries.map(({ number, at, event, actor, subject, origin, details }) => (
        <tr key={number}>
          <th scope="row">{number}</th>
          <td className="nowrap">{translator.dateTime(at, "medium")}</td>
          <td>{translator.term(event)}</td>
          <td>{named(actor)}</td>
          <td>{subject === actor ? "" : named(subject)}</td>
          <td>{origin}</td>
          <td className="quiet">
            {Object.entries(details)
              .map(([name, value]) => `${translator.term(name)}: ${detailText(translator, event, name, value)}`)
              .join(", ")}
          </td>
        </tr>
      ))}
    </WideTable>
  );
}
