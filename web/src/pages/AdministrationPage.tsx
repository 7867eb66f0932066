/** The accounts of all users. */
import { useCallback, useState } from "react";
import { dataOrThrow, throwOnError, type Account, type HeparClient } from "../api.ts";
import { ErrorBox } from "../components/ErrorBox.tsx";
import { Field, PasswordField, useForm } from "../components/form.tsx";
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
  const [resetting, setResetting] = useState<Account>();
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
  async function onReset(): Promise<void> {
    setResetting(undefined);
    await reload();
  }
  return (
    <section>
      <h1>{translator.text("administration")}</h1>
      <ErrorBox error={error} />
      <AccountTable accounts={data?.items ?? []} onChange={(change) => void apply(change)} onReset={setResetting} />
      {resetting ? <ResetSecondFactor key={resetting.id} account={resetting} onReset={onReset} /> : null}
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
  onReset(account: Account): void;
}

function AccountTable({ accounts, onChange, onReset }: AccountTableProps) {
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
            <AccountRow key={account.id} account={account} onChange={onChange} onReset={onReset} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

interface AccountRowProps extends Omit<AccountTableProps, "accounts"> {
  account: Account;
}

function AccountRow({ account, onChange, onReset }: AccountRowProps) {
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
        {account.second_factor ? (
          <button type="button" onClick={() => onReset(account)}>
            {translator.text("resetSecondFactor")}
          </button>
        ) : null}
      </td>
    </tr>
  );
}

/** For an owner who lost the authenticator. The administrator confirms with the own password and code. */
function ResetSecondFactor({ account, onReset }: { account: Account; onReset(): Promise<void> }) {
  const translator = useTranslator();
  const { hepar, account: administrator } = useSession();
  const { onSubmit, busy, error } = useForm(async (field) => {
    const code = administrator?.second_factor ? { code: field("code") } : {};
    const body = { password: field("password"), ...code };
    const params = { path: { account_id: account.id } };
    throwOnError(await hepar.DELETE("/v1/users/{account_id}/second-factor", { params, body }));
    await onReset();
  });
  return (
    <form onSubmit={onSubmit} className="narrow">
      <h2>{translator.text("resetSecondFactor")}</h2>
      <p>{translator.text("resetSecondFactorHint", { email: account.email })}</p>
      <PasswordField />
      {administrator?.second_factor ? (
        <Field name="code" label={translator.text("code")} autoComplete="one-time-code" required />
      ) : null}
      <ErrorBox error={error} />
      <button disabled={busy}>{translator.text("confirm")}</button>
    </form>
  );
}
