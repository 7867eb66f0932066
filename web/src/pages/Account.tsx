/** One's own account. */
import { useCallback, useState } from "react";
import { useNavigate } from "react-router";
import { Field, useForm } from "../form.tsx";
import { useSay } from "../i18n.tsx";
import { useLoaded } from "../loading.tsx";
import { TroubleBox } from "../problems.tsx";
import { answered, useSession } from "../session.tsx";

export function AccountPage() {
  const say = useSay();
  const { account } = useSession();
  if (!account) return null;
  return (
    <section className="narrow">
      <h1>{say("account")}</h1>
      <p>
        {account.email}, {account.role}
      </p>
      <ChangePassword />
      <SecondFactor />
      <Sessions />
    </section>
  );
}

function ChangePassword() {
  const say = useSay();
  const { hepar, account, signOut } = useSession();
  const navigate = useNavigate();
  const { submit, busy, trouble } = useForm(async (form) => {
    const body = { current_password: form("current"), new_password: form("new") };
    const result = await hepar.PUT("/v1/users/me/password", { body });
    if (result.error !== undefined) answered(result);
    await navigate("/sign-in", { state: { said: "changed" } });
    await signOut();
  });
  return (
    <form onSubmit={(event) => void submit(event)}>
      <h2>{say("changePassword")}</h2>
      <Field name="current" label={say("currentPassword")} type="password" autoComplete="current-password" required />
      <Field name="new" label={say("newPassword")} hint={say("passwordHint")} type="password" autoComplete="new-password" minLength={account?.second_factor ? 12 : 15} maxLength={128} required />
      <TroubleBox trouble={trouble} />
      <button disabled={busy}>{say("changePassword")}</button>
    </form>
  );
}

function SecondFactor() {
  const say = useSay();
  const { hepar, account, reload } = useSession();
  const [secret, setSecret] = useState<string>();
  const [codes, setCodes] = useState<readonly string[]>([]);
  const begin = useForm(async () => {
    setSecret(answered(await hepar.POST("/v1/users/me/second-factor")).secret);
  });
  const confirm = useForm(async (form) => {
    setCodes(answered(await hepar.PUT("/v1/users/me/second-factor", { body: { code: form("code") } })).codes);
    setSecret(undefined);
    await reload();
  });
  const remove = useForm(async (form) => {
    const body = { password: form("password"), code: form("code") };
    const result = await hepar.DELETE("/v1/users/me/second-factor", { body });
    if (result.error !== undefined) answered(result);
    setCodes([]);
    await reload();
  });
  return (
    <>
      <h2>{say("secondFactor")}</h2>
      <p>{account?.second_factor ? say("secondFactorOn") : say("secondFactorOff")}</p>
      {codes.length > 0 ? (
        <>
          <p>{say("recovery")}</p>
          <ul className="codes">
            {codes.map((code) => (
              <li key={code}>
                <code>{code}</code>
              </li>
            ))}
          </ul>
        </>
      ) : null}
      {account?.second_factor ? (
        <form onSubmit={(event) => void remove.submit(event)}>
          <Field name="password" label={say("password")} type="password" autoComplete="current-password" required />
          <Field name="code" label={say("code")} autoComplete="one-time-code" required />
          <TroubleBox trouble={remove.trouble} />
          <button disabled={remove.busy}>{say("removeFactor")}</button>
        </form>
      ) : secret ? (
        <form onSubmit={(event) => void confirm.submit(event)}>
          <p>{say("secretHint")}</p>
          <p>
            <code>{secret}</code>
          </p>
          <Field name="code" label={say("code")} autoComplete="one-time-code" inputMode="numeric" required />
          <TroubleBox trouble={confirm.trouble} />
          <button disabled={confirm.busy}>{say("confirm")}</button>
        </form>
      ) : (
        <form onSubmit={(event) => void begin.submit(event)}>
          <TroubleBox trouble={begin.trouble} />
          <button disabled={begin.busy}>{say("begin")}</button>
        </form>
      )}
    </>
  );
}

function Sessions() {
  const say = useSay();
  const { hepar } = useSession();
  const { found, trouble, reload } = useLoaded(
    useCallback(async () => answered(await hepar.GET("/v1/users/me/sessions", { params: {} })).items, [hepar]),
  );
  return (
    <>
      <h2>{say("sessions")}</h2>
      <TroubleBox trouble={trouble} />
      <ul>
        {found?.map((session) => (
          <li key={session.id}>
            {new Date(session.last_used_at).toLocaleString()}{" "}
            {session.current ? (
              <strong>{say("thisOne")}</strong>
            ) : (
              <button
                type="button"
                onClick={() =>
                  void hepar
                    .DELETE("/v1/users/me/sessions/{session_id}", { params: { path: { session_id: session.id } } })
                    .then(reload)
                }
              >
                {say("end")}
              </button>
            )}
          </li>
        ))}
      </ul>
    </>
  );
}
