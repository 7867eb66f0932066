import { useState } from "react";
import { Link } from "react-router";
import { throwOnError } from "../api.ts";
import { ErrorBox } from "../components/ErrorBox.tsx";
import { useForm } from "../components/form.tsx";
import { LinkRequestForm } from "../components/LinkRequestForm.tsx";
import { useAccountOptions } from "../components/useAccountOptions.ts";
import { useLinkToken } from "../components/useLinkToken.ts";
import { usePageTitle } from "../components/usePageTitle.ts";
import { useTranslator } from "../i18n/LanguageProvider.tsx";
import { useSession } from "../session/SessionProvider.tsx";
import { NotFoundPage } from "./NotFoundPage.tsx";

/** Confirms an e-mail address with the link that was sent to it; without a link, sends another one. */
export function VerifyAddressPage() {
  const translator = useTranslator();
  const options = useAccountOptions();
  const token = useLinkToken();
  usePageTitle(translator.text("verifyAddress"));
  if (options?.address_verification === false) return <NotFoundPage />;
  return (
    <section className="narrow middle">
      <h1>{translator.text("verifyAddress")}</h1>
      {token ? <Confirmation token={token} /> : <LinkRequestForm path="/v1/address-verification" hint="verifyAddressHint" />}
    </section>
  );
}

/** A button, because mail scanners open links: a visit alone must not use up the link. */
function Confirmation({ token }: { token: string }) {
  const translator = useTranslator();
  const { hepar } = useSession();
  const [done, setDone] = useState(false);
  const { onSubmit, busy, error } = useForm(async () => {
    throwOnError(await hepar.PUT("/v1/address-verification", { body: { token } }));
    setDone(true);
  });
  if (done) {
    return (
      <p role="status">
        {translator.text("addressVerified")} <Link to="/sign-in">{translator.text("signIn")}</Link>
      </p>
    );
  }
  return (
    <form onSubmit={onSubmit}>
      <p>{translator.text("verifyAddressPrompt")}</p>
      <ErrorBox error={error} />
      <button className="primary" disabled={busy}>
        {translator.text("verifyAddress")}
      </button>
    </form>
  );
}
