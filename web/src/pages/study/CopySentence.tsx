import { useState } from "react";
import { useTranslator } from "../../i18n/LanguageProvider.tsx";
import { withNotice } from "../../studies/words.ts";

/** For a report. */
export function CopySentence({ text }: { text: string }) {
  const translator = useTranslator();
  const [copied, setCopied] = useState(false);
  return (
    <button type="button" className="plain copy" onClick={() => void navigator.clipboard.writeText(withNotice(translator, text)).then(() => setCopied(true))}>
      <span role="status">{translator.text(copied ? "copied" : "copySentence")}</span>
    </button>
  );
}
