import { useCallback, useState } from "react";
import { useNavigate } from "react-router";
import sampleUrl from "../../../../samples/study.zip?url";
import { dataOrThrow } from "../../api.ts";
import { ErrorBox } from "../../components/ErrorBox.tsx";
import { useAction } from "../../components/useAction.ts";
import { useResource } from "../../components/useResource.ts";
import { useTranslator } from "../../i18n/LanguageProvider.tsx";
import { useSession } from "../../session/SessionProvider.tsx";
import { sendStudy } from "../../studies/sendStudy.ts";

const DISMISSED_KEY = "hepar-sample-dismissed";

/** For people who have no study yet: sends the study of a phantom that comes with Hepar, and opens it. */
export function SampleStudy() {
  const translator = useTranslator();
  const { tokens } = useSession();
  const navigate = useNavigate();
  const { busy, error, run } = useAction(async () => {
    const answer = await fetch(sampleUrl);
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    const file = new File([await answer.blob()], "study.zip");
    const study = await sendStudy([file], tokens, { name: translator.text("sampleName") });
    await navigate(`/studies/${study.id}`);
  });
  return (
    <>
      <p>{translator.text("sampleOffer")}</p>
      <button type="button" className="primary" disabled={busy} onClick={run}>
        {translator.text("sendSample")}
      </button>
      <ErrorBox error={error} />
    </>
  );
}

/** The offer on the page that follows the first sign-in, until there is a study or the offer is declined. */
export function FirstSteps() {
  const translator = useTranslator();
  const { hepar, account } = useSession();
  const [dismissed, setDismissed] = useState(() => localStorage.getItem(DISMISSED_KEY) === account?.id);
  const { data } = useResource(
    useCallback(async () => dataOrThrow(await hepar.GET("/v1/studies", { params: { query: { limit: 1 } } })).items, [hepar]),
  );
  function dismiss(): void {
    localStorage.setItem(DISMISSED_KEY, account?.id ?? "");
    setDismissed(true);
  }
  if (dismissed || data?.length !== 0) return null;
  return (
    <article aria-label={translator.text("firstSteps")}>
      <h2>{translator.text("firstSteps")}</h2>
      <SampleStudy />{" "}
      <button type="button" onClick={dismiss}>
        {translator.text("notNow")}
      </button>
    </article>
  );
}
