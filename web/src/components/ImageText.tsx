import { germanText } from "../i18n/dePatterns.ts";
import { useTranslator } from "../i18n/LanguageProvider.tsx";

/** A warning or refusal of the gateway; in English if there is no translation. */
export function ImageText({ text, className }: { text: string; className?: string }) {
  const { language } = useTranslator();
  const translated = language === "de" ? germanText(text) : undefined;
  return (
    <p className={className} lang={translated === undefined ? "en" : undefined}>
      {translated ?? text}
    </p>
  );
}
