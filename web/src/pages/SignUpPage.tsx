import { useState } from "react";
import { Link, useNavigate } from "react-router";
import { dataOrThrow } from "../api.ts";
import { ErrorBox } from "../components/ErrorBox.tsx";
import { Field, useForm } from "../components/form.tsx";
import { usePageTitle } from "../components/usePageTitle.ts";
import { useTranslator } from "../i18n/LanguageProvider.tsx";
import { useSession } from "../session/SessionProvider.tsx";

export const PASSWORD_LENGTH = { minLength: 15, maxLength: 128 };
export const PASSWORD_MIN_WITH_SECOND_FACTOR = 12;
type Waiting = "awaitingApproval" | "awaitingVerification";

export function SignUpPage() {
  const translator = useTranslator();
  const [waiting, setWaiting] = useState<Waiting>();
  usePageTitle(translator.text("signUp"));
  return (
    <section className="narrow middle">
      <h1>{translator.text("signUp")}</h1>
      {waiting ? <p role="status">{translator.text(waiting)}</p> : <SignUpForm onWaiting={setWaiting} />}
    </section>
  );
}

function SignUpForm({ onWaiting }: { onWaiting(reason: Waiting): void }) {
  const translator = useTranslator();
  const { hepar, signIn } = useSession();
  const navigate = useNavigate();
  const { onSubmit, busy, error } = useForm(async (field) => {
    const body = { email: field("email"), password: field("password"), name: field("name") };
    const account = dataOrThrow(await hepar.POST("/v1/users", { body }));
    const options = dataOrThrow(await hepar.GET("/v1/account-options"));
    if (options.address_verification) {
      onWaiting("awaitingVerification");
      return;
    }
    if (account.status === "pending") {
      onWaiting("awaitingApproval");
      return;
    }
    await signIn(body.email, body.password, "");
    await navigate("/upload", { replace: true });
  });
  return (
    <>
      <form onSubmit={onSubmit}>
        <Field name="email" label={translator.text("email")} type="email" autoComplete="username" required />
        <Field name="name" label={translator.text("name")} autoComplete="name" maxLength={120} />
        <Field
          name="password"
          label={translator.text("password")}
          hint={translator.text("passwordHint")}
          type="password"
          autoComplete="new-password"
          {...PASSWORD_LENGTH}
          required
        />
        <ErrorBox error={error} />
        <button className="primary" disabled={busy}>
          {translator.text("signUp")}
        </button>
      </form>
      <p>
        {translator.text("haveAccount")} <Link to="/sign-in">{translator.text("signIn")}</Link>
      </p>
    </>
  );
}
