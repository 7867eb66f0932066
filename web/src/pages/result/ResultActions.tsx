import { useState } from "react";
import type { Analysis } from "../../api.ts";
import { download } from "../../components/download.ts";
import { ErrorBox } from "../../components/ErrorBox.tsx";
import { useAction } from "../../components/useAction.ts";
import { useTranslator } from "../../i18n/LanguageProvider.tsx";
import { fetchAnnotated } from "../../queue/details.ts";
import type { QueueItem } from "../../queue/items.ts";
import { detectionOf, resultText } from "../../results.ts";
import { useSession } from "../../session/SessionProvider.tsx";

interface ResultActionsProps {
  item: QueueItem;
  title: string;
  analysis: Analysis;
}

export function ResultActions({ item, title, analysis }: ResultActionsProps) {
  const translator = useTranslator();
  const { tokens } = useSession();
  const [copied, setCopied] = useState(false);
  const stem = title.replace(/\.[^./]+$/, "").replaceAll("/", "-");
  const annotated = useAction(async () => {
    const png = await fetchAnnotated(item, tokens, new AbortController().signal);
    if (png === undefined) throw new Error("the server made no picture");
    download(`${stem}-annotated.png`, decodeBase64(png), "image/png");
  });
  async function copy(): Promise<void> {
    await navigator.clipboard.writeText(resultText(translator, title, analysis));
    setCopied(true);
  }
  return (
    <div className="tools">
      <button type="button" onClick={() => void copy()}>
        {translator.text(copied ? "copied" : "copyText")}
      </button>
      <button type="button" onClick={() => download(`${stem}.json`, JSON.stringify(analysis, null, 1), "application/json")}>
        {translator.text("downloadJson")}
      </button>
      {detectionOf(analysis) ? (
        <button type="button" disabled={annotated.busy} onClick={annotated.run}>
          {translator.text("downloadPng")}
        </button>
      ) : null}
      <button type="button" onClick={() => print()}>
        {translator.text("print")}
      </button>
      <ErrorBox error={annotated.error} />
    </div>
  );
}

function decodeBase64(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}
