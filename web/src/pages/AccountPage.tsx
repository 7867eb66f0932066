/** The user's own account. */
import { useCallback } from "react";
import { dataOrThrow, throwOnError, type Schemas } from "../api.ts";
import { ErrorBox } from "../components/ErrorBox.tsx";
import { Field, useForm } from "../components/form.tsx";
import { usePageTitle } from "../components/usePageTitle.ts";
import { useResource } from "../components/useResource.ts";
import { useTranslator } from "../i18n/LanguageProvider.tsx";
import { useSession } from "../session/SessionProvider.tsx";
import { SecondFactor } from "./SecondFactor.tsx";
import { PASSWORD_LENGTH, PASSWORD_MIN_WITH_SECOND_FACTOR } from "./SignUpPage.tsx";

export default function AccountPage() {
  const translator = useTranslator();
  const { account } = useSession();
  usePageTitle(translator.text("account"));
  if (!account) return null;
  return (
    <section className="account">
      <h1>{translator.text("account")}</h1>
      <p>
        {account.email}, {translator.term(account.role)}
      </p>
      <div className="cards">
        <article>
          <ChangePassword hasSecondFactor={account.second_factor} />
        </article>
        <article>
          <SecondFactor active={account.second_factor} />
        </article>
        <article>
          <Sessions />
        </article>
      </div>
    </section>
  );
}

function ChangePassword({ hasSecondFactor }: { hasSecondFactor: boolean }) {
  const translator = useTranslator();
  const { hepar, signOut } = useSession();
  const { onSubmit, busy, error } = useForm(async (field) => {
    const code = hasSecondFactor ? { code: field("code") } : {};
    const body = { current_password: field("current"), new_password: field("new"), ...code };
    throwOnError(await hepar.PUT("/v1/users/me/password", { body }));
    signOut("passwordChanged");
  });
  return (
    <form onSubmit={onSubmit}>
      <h2>{translator.text("changePassword")}</h2>
      <Field
        name="current"
        label={translator.text("currentPassword")}
        type="password"
        autoComplete="current-password"
        required
      />
      <Field
        name="new"
        label={translator.text("newPassword")}
        hint={translator.text("passwordHint")}
        type="password"
        autoComplete="new-password"
        {...PASSWORD_LENGTH}
        minLength={hasSecondFactor ? PASSWORD_MIN_WITH_SECOND_FACTOR : PASSWORD_LENGTH.minLength}
        required
      />
      {hasSecondFactor ? <Field name="code" label={translator.text("code")} autoComplete="one-time-code" required /> : null}
      <ErrorBox error={error} />
      <button disabled={busy}>{translator.text("changePassword")}</button>
    </form>
  );
}

function Sessions() {
  const translator = useTranslator();
  const { hepar } = useSession();
  const { data, error, reload, setError } = useResource(
    useCallback(async () => dataOrThrow(await hepar.GET("/v1/users/me/sessions", { params: {} })).items, [hepar]),
  );
  async function end(id: string): Promise<void> {
    try {
      throwOnError(await hepar.DELETE("/v1/users/me/sessions/{session_id}", { params: { path: { session_id: id } } }));
      await reload();
    } catch (reason) {
      setError(reason);
    }
  }
  return (
    <>
      <h2>{translator.text("sessions")}</h2>
      <ErrorBox error={error} />
      <ul className="rows">
        {data?.map((session) => (
          <SessionEntry key={session.id} session={session} onEnd={() => void end(session.id)} />
        ))}
      </ul>
    </>
  );
}

function SessionEntry({ session, onEnd }: { session: Schemas["Session"]; onEnd(): void }) {
  const translator = useTranslator();
  return (
    <li>
      <span>{translator.text("sessionUsed", { time: translator.dateTime(session.last_used_at) })}</span>
      {session.current ? (
        <strong>{translator.text("currentSession")}</strong>
      ) : (
        <button type="button" onClick={onEnd}>
          {translator.text("endSession")}
        </button>
      )}
    </li>
  );
}
