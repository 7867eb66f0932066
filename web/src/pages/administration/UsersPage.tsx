/** Accounts: search, role, group, state, second factor, deletion. */
import { useCallback, useDeferredValue, useState } from "react";
import { Link } from "react-router";
import { dataOrThrow, type Account, type HeparClient } from "../../api.ts";
import { ErrorBox } from "../../components/ErrorBox.tsx";
import { Choice } from "../../components/form.tsx";
import { Options } from "../../components/Options.tsx";
import { useResource } from "../../components/useResource.ts";
import { WideTable } from "../../components/WideTable.tsx";
import { useTranslator } from "../../i18n/LanguageProvider.tsx";
import { useSession } from "../../session/SessionProvider.tsx";
import { ConfirmChange, type AccountChange } from "./ConfirmChange.tsx";
import { Invitations } from "./Invitations.tsx";
import { ROLES } from "./roles.ts";

const STATUSES = ["pending", "active", "deactivated"] as const;
const STATUS_CHANGES = { pending: "approve", active: "deactivate", deactivated: "reactivate" } as const;

interface UserFilter {
  search: string;
  status: Account["status"] | "";
  role: Account["role"] | "";
}

export function UsersPage() {
  const translator = useTranslator();
  const { hepar } = useSession();
  const [filter, setFilter] = useState<UserFilter>({ search: "", status: "", role: "" });
  const [after, setAfter] = useState<string>();
  const [change, setChange] = useState<AccountChange>();
  const wanted = useDeferredValue(filter);
  const { data, error, reload, setError } = useResource(useCallback(() => list(hepar, wanted, after), [hepar, wanted, after]));
  async function changeStatus(account: Account): Promise<void> {
    try {
      const params = { path: { account_id: account.id } };
      dataOrThrow(await hepar.POST(`/v1/users/{account_id}/${STATUS_CHANGES[account.status]}`, { params }));
      await reload();
    } catch (reason) {
      setError(reason);
    }
  }
  async function onConfirmed(): Promise<void> {
    setChange(undefined);
    await reload();
  }
  return (
    <>
      <div className="toolbar">
        <Filters
          filter={filter}
          onChange={(changed) => {
            setAfter(undefined);
            setFilter(changed);
          }}
        />
        <Invitations onInvited={reload} />
      </div>
      <ErrorBox error={error} />
      {data?.items.length === 0 ? <p className="empty">{translator.text("noAccount")}</p> : null}
      {data && data.items.length > 0 ? (
        <WideTable label={translator.text("accounts")} columns={["email", "role", "group", "status", "lastSignIn", "actions"]} className="named stacked">
          {data.items.map((account) => (
            <AccountRow key={account.id} account={account} onStatus={() => void changeStatus(account)} onConfirm={setChange} />
          ))}
        </WideTable>
      ) : null}
      {data?.next ? (
        <button type="button" onClick={() => setAfter(data.next ?? undefined)}>
          {translator.text("more")}
        </button>
      ) : null}
      {change ? <ConfirmChange change={change} onConfirmed={onConfirmed} onClose={() => setChange(undefined)} /> : null}
    </>
  );
}

async function list(hepar: HeparClient, { search, status, role }: UserFilter, after: string | undefined) {
  const query = { ...(search ? { search } : {}), ...(status ? { status } : {}), ...(role ? { role } : {}), ...(after ? { after } : {}) };
  return dataOrThrow(await hepar.GET("/v1/users", { params: { query } }));
}

function Filters({ filter, onChange }: { filter: UserFilter; onChange(filter: UserFilter): void }) {
  const translator = useTranslator();
  return (
    <div className="tools" role="search">
      <label>
        {translator.text("search")}
        <input
          type="search"
          value={filter.search}
          maxLength={120}
          placeholder={translator.text("searchAccountHint")}
          onChange={(event) => onChange({ ...filter, search: event.target.value })}
        />
      </label>
      <Choice label={translator.text("role")} value={filter.role} values={ROLES} text={(name) => translator.term(name)} onChange={(role) => onChange({ ...filter, role })} />
      <Choice label={translator.text("status")} value={filter.status} values={STATUSES} text={(name) => translator.term(name)} onChange={(status) => onChange({ ...filter, status })} />
    </div>
  );
}

interface AccountRowProps {
  account: Account;
  onStatus(): void;
  onConfirm(change: AccountChange): void;
}

function AccountRow({ account, onStatus, onConfirm }: AccountRowProps) {
  const translator = useTranslator();
  const { account: own } = useSession();
  const { id, email, name, role, group, status, last_sign_in_at } = account;
  const isOwn = id === own?.id;
  const groupName = group ?? translator.text("noGroup");
  const labelled = (text: string) => `${text}: ${email}`;
  return (
    <tr>
      <th scope="row">
        {email}
        {isOwn ? ` (${translator.text("you")})` : ""}
        {name ? <p className="quiet">{name}</p> : null}
      </th>
      <td>
        {isOwn ? (
          translator.term(role)
        ) : (
          <select
            aria-label={labelled(translator.text("role"))}
            value={role}
            onChange={(event) => onConfirm({ kind: "role", account, role: event.target.value as Account["role"] })}
          >
            <Options values={ROLES} text={(choice) => translator.term(choice)} />
          </select>
        )}
      </td>
      <td className="nowrap">
        <button type="button" aria-label={labelled(`${groupName}, ${translator.text("changeGroup")}`)} onClick={() => onConfirm({ kind: "group", account })}>
          {groupName}
        </button>
      </td>
      <td className="nowrap">{translator.term(status)}</td>
      <td className="nowrap">{last_sign_in_at ? translator.dateTime(last_sign_in_at) : translator.text("never")}</td>
      <td>
        <div className="tools">
          {isOwn ? null : <AccountActions account={account} onStatus={onStatus} onConfirm={onConfirm} />}
          <Link to={`/administration/audit?account=${id}`} aria-label={labelled(translator.text("auditLog"))}>
            {translator.text("auditLog")}
          </Link>
        </div>
      </td>
    </tr>
  );
}

/** Not offered for the own account: who locks themselves out cannot undo it. */
function AccountActions({ account, onStatus, onConfirm }: AccountRowProps) {
  const translator = useTranslator();
  return (
    <>
      <button type="button" onClick={onStatus}>
        {translator.text(STATUS_CHANGES[account.status])}
      </button>
      {account.second_factor ? (
        <button type="button" onClick={() => onConfirm({ kind: "secondFactor", account })}>
          {translator.text("resetSecondFactor")}
        </button>
      ) : null}
      <button type="button" className="danger" onClick={() => onConfirm({ kind: "deletion", account })}>
        {translator.text("deleteAccount")}
      </button>
    </>
  );
}
