import { useState } from "react";
import { Link, useLocation, useNavigate } from "react-router";
import { HeparProblem } from "../api.ts";
import { ErrorBox } from "../components/ErrorBox.tsx";
import { Field, useForm } from "../components/form.tsx";
import { useAccountOptions } from "../components/useAccountOptions.ts";
import { usePageTitle } from "../components/usePageTitle.ts";
import { useTranslator } from "../i18n/LanguageProvider.tsx";
import { useSession } from "../session/SessionProvider.tsx";

export function SignInPage() {
  const translator = useTranslator();
  const { signIn, signOutReason } = useSession();
  const navigate = useNavigate();
  const { returnTo = "/upload" } = (useLocation().state ?? {}) as { returnTo?: string };
  const [needsCode, setNeedsCode] = useState(false);
  const options = useAccountOptions();
  usePageTitle(translator.text("signIn"));
  const { onSubmit, busy, error } = useForm(async (field) => {
    try {
      await signIn(field("email"), field("password"), field("otp"));
    } catch (reason) {
      if (!(reason instanceof HeparProblem && reason.problem.type.endsWith("/second-factor-required"))) throw reason;
      setNeedsCode(true);
      return;
    }
    await navigate(returnTo, { replace: true });
  });
  return (
    <section className="narrow middle">
      <h1>{translator.text("signIn")}</h1>
      {signOutReason === "passwordChanged" ? <p role="status">{translator.text("passwordChanged")}</p> : null}
      <form onSubmit={onSubmit}>
        <Field name="email" label={translator.text("email")} type="email" autoComplete="username" required />
        <Field name="password" label={translator.text("password")} type="password" autoComplete="current-password" required />
        {needsCode ? <Field name="otp" label={translator.text("code")} hint={translator.text("codeHint")} autoComplete="one-time-code" autoFocus required /> : null}
        <ErrorBox error={error} />
        <button className="primary" disabled={busy}>
          {translator.text("signIn")}
        </button>
      </form>
      <p>
        {translator.text("needAccount")} <Link to="/sign-up">{translator.text("signUp")}</Link>
      </p>
      {options?.password_reset ? (
        <p>
          <Link to="/forgotten-password">{translator.text("forgottenPassword")}</Link>
        </p>
      ) : null}
      {options?.address_verification ? (
        <p>
          <Link to="/verify-address">{translator.text("verifyAddress")}</Link>
        </p>
      ) : null}
    </section>
  );
}
