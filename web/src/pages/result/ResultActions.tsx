import { useState } from "react";
import type { Analysis } from "../../api.ts";
import { download } from "../../components/download.ts";
import { useTranslator } from "../../i18n/LanguageProvider.tsx";
import { detectionOf, resultText } from "../../results.ts";

export function ResultActions({ title, analysis }: { title: string; analysis: Analysis }) {
  const translator = useTranslator();
  const [copied, setCopied] = useState(false);
  const stem = title.replace(/\.[^./]+$/, "").replaceAll("/", "-");
  const png = detectionOf(analysis)?.annotated_png;
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
      {png ? (
        <button type="button" onClick={() => download(`${stem}-annotated.png`, decodeBase64(png), "image/png")}>
          {translator.text("downloadPng")}
        </button>
      ) : null}
      <button type="button" onClick={() => print()}>
        {translator.text("print")}
      </button>
    </div>
  );
}

function decodeBase64(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}
