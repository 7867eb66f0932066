import { useState } from "react";
import { Link } from "react-router";
import { throwOnError } from "../api.ts";
import { ErrorBox } from "../components/ErrorBox.tsx";
import { Field, useForm } from "../components/form.tsx";
import { LinkRequestForm } from "../components/LinkRequestForm.tsx";
import { useAccountOptions } from "../components/useAccountOptions.ts";
import { useLinkToken } from "../components/useLinkToken.ts";
import { usePageTitle } from "../components/usePageTitle.ts";
import { useTranslator } from "../i18n/LanguageProvider.tsx";
import { useSession } from "../session/SessionProvider.tsx";
import { NotFoundPage } from "./NotFoundPage.tsx";
import { PASSWORD_LENGTH, PASSWORD_MIN_WITH_SECOND_FACTOR } from "./SignUpPage.tsx";

/** Requests a link for a forgotten password. */
export function ForgottenPasswordPage() {
  const translator = useTranslator();
  const options = useAccountOptions();
  usePageTitle(translator.text("forgottenPassword"));
  if (options?.password_reset === false) return <NotFoundPage />;
  return (
    <section className="narrow middle">
      <h1>{translator.text("forgottenPassword")}</h1>
      <LinkRequestForm path="/v1/password-reset" hint="forgottenPasswordHint" />
    </section>
  );
}

/** Where the link leads: sets the new password. */
export function ResetPasswordPage() {
  const translator = useTranslator();
  const { hepar, signOut } = useSession();
  const token = useLinkToken();
  const [done, setDone] = useState(false);
  usePageTitle(translator.text("newPassword"));
  const { onSubmit, busy, error } = useForm(async (field) => {
    throwOnError(await hepar.PUT("/v1/password-reset", { body: { token, new_password: field("new_password") } }));
    signOut("passwordChanged");
    setDone(true);
  });
  return (
    <section className="narrow middle">
      <h1>{translator.text("newPassword")}</h1>
      {done ? (
        <p role="status">
          {translator.text("passwordChanged")} <Link to="/sign-in">{translator.text("signIn")}</Link>
        </p>
      ) : (
        <form onSubmit={onSubmit}>
          <Field
            name="new_password"
            label={translator.text("newPassword")}
            hint={translator.text("passwordHint")}
            type="password"
            autoComplete="new-password"
            {...PASSWORD_LENGTH}
            minLength={PASSWORD_MIN_WITH_SECOND_FACTOR}
            required
          />
          <ErrorBox error={error} />
          <button className="primary" disabled={busy}>
            {translator.text("changePassword")}
          </button>
        </form>
      )}
    </section>
  );
}
