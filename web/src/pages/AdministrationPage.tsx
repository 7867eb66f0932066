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

/** A change that waits for confirmation. role: the new one; without it, the second factor is reset. */
interface Pending {
  account: Account;
  role?: Account["role"];
}

type Change = (hepar: HeparClient) => Promise<{ data?: unknown; error?: unknown; response: Response }>;

export default function AdministrationPage() {
  const translator = useTranslator();
  const { hepar } = useSession();
  const [after, setAfter] = useState<string>();
  const [pending, setPending] = useState<Pending>();
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
  async function onConfirmed(): Promise<void> {
    setPending(undefined);
    await reload();
  }
  return (
    <section>
      <h1>{translator.text("administration")}</h1>
      <ErrorBox error={error} />
      <AccountTable accounts={data?.items ?? []} onChange={(change) => void apply(change)} onConfirm={setPending} />
      {pending ? (
        <ConfirmChange key={`${pending.account.id} ${pending.role}`} {...pending} onConfirmed={onConfirmed} />
      ) : null}
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
  onConfirm(pending: Pending): void;
}

function AccountTable({ accounts, onChange, onConfirm }: AccountTableProps) {
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
            <AccountRow key={account.id} account={account} onChange={onChange} onConfirm={onConfirm} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

interface AccountRowProps extends Omit<AccountTableProps, "accounts"> {
  account: Account;
}

function AccountRow({ account, onChange, onConfirm }: AccountRowProps) {
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
          onChange={(event) => onConfirm({ account, role: event.target.value as Account["role"] })}
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
          <button type="button" onClick={() => onConfirm({ account })}>
            {translator.text("resetSecondFactor")}
          </button>
        ) : null}
      </td>
    </tr>
  );
}

/** Changes the role, or resets the second factor of an owner who lost the authenticator. The administrator confirms it
 * with the own password and code. */
function ConfirmChange({ account, role, onConfirmed }: Pending & { onConfirmed(): Promise<void> }) {
  const translator = useTranslator();
  const { hepar, account: administrator } = useSession();
  const { onSubmit, busy, error } = useForm(async (field) => {
    const code = administrator?.second_factor ? { code: field("code") } : {};
    const body = { password: field("password"), ...code };
    const params = { path: { account_id: account.id } };
    if (role) throwOnError(await hepar.PUT("/v1/users/{account_id}/role", { params, body: { ...body, role } }));
    else throwOnError(await hepar.DELETE("/v1/users/{account_id}/second-factor", { params, body }));
    await onConfirmed();
  });
  return (
    <form onSubmit={onSubmit} className="narrow">
      <h2>{translator.text(role ? "changeRole" : "resetSecondFactor")}</h2>
      <p>
        {role
          ? translator.text("changeRoleHint", { email: account.email, role: translator.term(role) })
          : translator.text("resetSecondFactorHint", { email: account.email })}
      </p>
      <PasswordField />
      {administrator?.second_factor ? (
        <Field name="code" label={translator.text("code")} autoComplete="one-time-code" required />
      ) : null}
      <ErrorBox error={error} />
      <button disabled={busy}>{translator.text("confirm")}</button>
    </form>
  );
}
