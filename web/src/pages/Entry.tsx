/** Sign up and sign in. */
import { useState, type FormEvent } from "react";
import { Link, useLocation, useNavigate } from "react-router";
import { Field, useForm } from "../form.tsx";
import { useSay, type Word } from "../i18n.tsx";
import { TroubleBox } from "../problems.tsx";
import { answered, HeparProblem, useSession } from "../session.tsx";

export function SignIn() {
  const say = useSay();
  const { signIn } = useSession();
  const navigate = useNavigate();
  const told = useLocation().state as { back?: string; said?: Word } | null;
  const back = told?.back ?? "/upload";
  const [factor, setFactor] = useState(false);
  const { submit, busy, trouble } = useForm(async (form) => {
    try {
      await signIn(form("email"), form("password"), form("otp"));
      await navigate(back, { replace: true });
    } catch (error) {
      if (error instanceof HeparProblem && error.problem.type.endsWith("/second-factor-required")) setFactor(true);
      throw error;
    }
  });
  return (
    <section className="narrow">
      <h1>{say("signIn")}</h1>
      {told?.said ? <p role="status">{say(told.said)}</p> : null}
      <form onSubmit={(event: FormEvent<HTMLFormElement>) => void submit(event)}>
        <Field name="email" label={say("email")} type="email" autoComplete="username" required />
        <Field name="password" label={say("password")} type="password" autoComplete="current-password" required />
        {factor ? <Field name="otp" label={say("code")} autoComplete="one-time-code" required /> : null}
        <TroubleBox trouble={trouble} />
        <button className="primary" disabled={busy}>
          {say("signIn")}
        </button>
      </form>
      <p>
        {say("needAccount")} <Link to="/sign-up">{say("signUp")}</Link>
      </p>
    </section>
  );
}

export function SignUp() {
  const say = useSay();
  const { hepar, signIn } = useSession();
  const navigate = useNavigate();
  const [waits, setWaits] = useState(false);
  const { submit, busy, trouble } = useForm(async (form) => {
    const body = { email: form("email"), password: form("password"), name: form("name") };
    const account = answered(await hepar.POST("/v1/users", { body }));
    if (account.status === "pending") {
      setWaits(true);
      return;
    }
    await signIn(body.email, body.password, "");
    await navigate("/upload", { replace: true });
  });
  if (waits) {
    return (
      <section className="narrow">
        <h1>{say("signUp")}</h1>
        <p role="status">{say("waitsForApproval")}</p>
      </section>
    );
  }
  return (
    <section className="narrow">
      <h1>{say("signUp")}</h1>
      <form onSubmit={(event: FormEvent<HTMLFormElement>) => void submit(event)}>
        <Field name="email" label={say("email")} type="email" autoComplete="username" required />
        <Field name="name" label={say("name")} autoComplete="name" maxLength={120} />
        <Field
          name="password"
          label={say("password")}
          hint={say("passwordHint")}
          type="password"
          autoComplete="new-password"
          minLength={15}
          maxLength={128}
          required
        />
        <TroubleBox trouble={trouble} />
        <button className="primary" disabled={busy}>
          {say("signUp")}
        </button>
      </form>
      <p>
        {say("haveAccount")} <Link to="/sign-in">{say("signIn")}</Link>
      </p>
    </section>
  );
}
