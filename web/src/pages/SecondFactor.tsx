/** Sets up and removes the second factor (TOTP). */
import { useState } from "react";
import { dataOrThrow, throwOnError, type Schemas } from "../api.ts";
import { ErrorBox } from "../components/ErrorBox.tsx";
import { Field, PasswordField, useForm } from "../components/form.tsx";
import { QrCode } from "../components/QrCode.tsx";
import { useTranslator } from "../i18n/LanguageProvider.tsx";
import { useSession } from "../session/SessionProvider.tsx";

export function SecondFactor({ active }: { active: boolean }) {
  const translator = useTranslator();
  const [begun, setBegun] = useState<Schemas["SecondFactor"]>();
  const [codes, setCodes] = useState<readonly string[]>([]);
  function onConfirmed(recoveryCodes: readonly string[]): void {
    setCodes(recoveryCodes);
    setBegun(undefined);
  }
  return (
    <>
      <h2>{translator.text("secondFactor")}</h2>
      <p>{translator.text(active ? "secondFactorOn" : "secondFactorOff")}</p>
      {codes.length > 0 ? <RecoveryCodes codes={codes} /> : null}
      {active ? <RemoveForm onRemoved={() => setCodes([])} /> : null}
      {!active && begun === undefined ? <SetUpForm onBegun={setBegun} /> : null}
      {!active && begun !== undefined ? <ConfirmForm begun={begun} onConfirmed={onConfirmed} /> : null}
    </>
  );
}

function RecoveryCodes({ codes }: { codes: readonly string[] }) {
  const translator = useTranslator();
  return (
    <>
      <p>{translator.text("recoveryCodes")}</p>
      <ul className="codes">
        {codes.map((code) => (
          <li key={code}>
            <code>{code}</code>
          </li>
        ))}
      </ul>
    </>
  );
}

function SetUpForm({ onBegun }: { onBegun(begun: Schemas["SecondFactor"]): void }) {
  const translator = useTranslator();
  const { hepar } = useSession();
  const { onSubmit, busy, error } = useForm(async (field) => {
    const body = { password: field("password") };
    onBegun(dataOrThrow(await hepar.POST("/v1/users/me/second-factor", { body })));
  });
  return (
    <form onSubmit={onSubmit}>
      <PasswordField />
      <ErrorBox error={error} />
      <button disabled={busy}>{translator.text("setUp")}</button>
    </form>
  );
}

interface ConfirmFormProps {
  begun: Schemas["SecondFactor"];
  onConfirmed(codes: readonly string[]): void;
}

function ConfirmForm({ begun: { secret, uri }, onConfirmed }: ConfirmFormProps) {
  const translator = useTranslator();
  const { hepar, reloadAccount } = useSession();
  const { onSubmit, busy, error } = useForm(async (field) => {
    const body = { password: field("password"), code: field("code") };
    const { codes } = dataOrThrow(await hepar.PUT("/v1/users/me/second-factor", { body }));
    onConfirmed(codes);
    await reloadAccount();
  });
  return (
    <form onSubmit={onSubmit}>
      <p>{translator.text("scanHint")}</p>
      <QrCode text={uri} label={translator.text("qrCode")} />
      <p>
        {translator.text("secretHint")}{" "}
        <code>{secret}</code>
      </p>
      <PasswordField />
      <Field name="code" label={translator.text("code")} autoComplete="one-time-code" inputMode="numeric" required />
      <ErrorBox error={error} />
      <button disabled={busy}>{translator.text("confirm")}</button>
    </form>
  );
}

function RemoveForm({ onRemoved }: { onRemoved(): void }) {
  const translator = useTranslator();
  const { hepar, reloadAccount } = useSession();
  const { onSubmit, busy, error } = useForm(async (field) => {
    const body = { password: field("password"), code: field("code") };
    throwOnError(await hepar.DELETE("/v1/users/me/second-factor", { body }));
    onRemoved();
    await reloadAccount();
  });
  return (
    <form onSubmit={onSubmit}>
      <PasswordField />
      <Field name="code" label={translator.text("code")} autoComplete="one-time-code" required />
      <ErrorBox error={error} />
      <button disabled={busy}>{translator.text("removeSecondFactor")}</button>
    </form>
  );
}
