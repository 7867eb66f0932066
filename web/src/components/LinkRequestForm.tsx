import { useState } from "react";
import { throwOnError } from "../api.ts";
import type { MessageKey } from "../i18n/en.ts";
import { useTranslator } from "../i18n/LanguageProvider.tsx";
import { useSession } from "../session/SessionProvider.tsx";
import { ErrorBox } from "./ErrorBox.tsx";
import { Field, useForm } from "./form.tsx";

interface LinkRequestFormProps {
  path: "/v1/password-reset" | "/v1/address-verification";
  /** Shown until the link is sent. */
  hint: MessageKey;
}

/** Asks for an e-mail address and sends a link to it. The answer does not tell whether there is an account. */
export function LinkRequestForm({ path, hint }: LinkRequestFormProps) {
  const translator = useTranslator();
  const { hepar } = useSession();
  const [sent, setSent] = useState(false);
  const { onSubmit, busy, error } = useForm(async (field) => {
    throwOnError(await hepar.POST(path, { body: { email: field("email") } }));
    setSent(true);
  });
  if (sent) return <p role="status">{translator.text("linkSent")}</p>;
  return (
    <form onSubmit={onSubmit}>
      <p>{translator.text(hint)}</p>
      <Field name="email" label={translator.text("email")} type="email" autoComplete="username" required />
      <ErrorBox error={error} />
      <button className="primary" disabled={busy}>
        {translator.text("sendLink")}
      </button>
    </form>
  );
}
