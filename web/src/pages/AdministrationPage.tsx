/** The accounts of all users. */
import { useCallback, useState } from "react";
import { dataOrThrow, type Account, type HeparClient } from "../api.ts";
import { ErrorBox } from "../components/ErrorBox.tsx";
import { usePageTitle } from "../components/usePageTitle.ts";
import { useResource } from "../components/useResource.ts";
import { useTranslator } from "../i18n/LanguageProvider.tsx";
import { useSession } from "../session/SessionProvider.tsx";

const ROLES = ["clinician", "researcher", "integrator", "administrator"] as const;
const STATUS_CHANGES = { pending: "approve", active: "deactivate", deactivated: "reactivate" } as const;

type Change = (hepar: HeparClient) => Promise<{ data?: unknown; error?: unknown; response: Response }>;

export function AdministrationPage() {
  const translator = useTranslator();
  const { hepar } = useSession();
  const [after, setAfter] = useState<string>();
  usePageTitle(translator.text("administration"));
  const { data, error, reload, setError } = useResource(
    useCallback(
      async () => dataOrThrow(await hepar.GET("/v1/users", { params: { query: after ? { after } : {} } })),
      [hepar, after],
    ),
  );
  async function apply(change: Change): Promise<void> {
    try {
      dataOrThrow(await change(hepar));
      await reload();
    } catch (reason) {
      setError(reason);
    }
  }
  return (
    <section>
      <h1>{translator.text("administration")}</h1>
      <ErrorBox error={error} />
      <AccountTable accounts={data?.items ?? []} onChange={(change) => void apply(change)} />
      {data?.next ? (
        <button type="button" onClick={() => setAfter(data.next ?? undefined)}>
          {translator.text("more")}
        </button>
      ) : null}
    </section>
  );
}

interface AccountTableProps {
  accounts: readonly Account[];
  onChange(change: Change): void;
}

function AccountTable({ accounts, onChange }: AccountTableProps) {
  const translator = useTranslator();
  return (
    <div className="wide" tabIndex={0} role="region" aria-label={translator.text("administration")}>
      <table>
        <thead>
          <tr>
            <th scope="col">{translator.text("email")}</th>
            <th scope="col">{translator.text("role")}</th>
            <th scope="col">{translator.text("status")}</th>
            <th scope="col">
              <span className="unseen">{translator.text("actions")}</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {accounts.map((account) => (
            <AccountRow key={account.id} account={account} onChange={onChange} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function AccountRow({ account, onChange }: { account: Account; onChange(change: Change): void }) {
  const translator = useTranslator();
  const params = { path: { account_id: account.id } };
  const statusChange = STATUS_CHANGES[account.status];
  return (
    <tr>
      <th scope="row">{account.email}</th>
      <td>
        <select
          aria-label={`${translator.text("role")}: ${account.email}`}
          value={account.role}
          onChange={(event) => {
            const role = event.target.value as (typeof ROLES)[number];
            onChange((hepar) => hepar.PUT("/v1/users/{account_id}/role", { params, body: { role } }));
          }}
        >
          {ROLES.map((role) => (
            <option key={role} value={role}>
              {translator.term(role)}
            </option>
          ))}
        </select>
      </td>
      <td>{translator.term(account.status)}</td>
      <td>
        <button type="button" onClick={() => onChange((hepar) => hepar.POST(`/v1/users/{account_id}/${statusChange}`, { params }))}>
          {translator.text(statusChange)}
        </button>
      </td>
    </tr>
  );
}
