import { germanWarning } from "../i18n/deWarnings.ts";
import { useTranslator } from "../i18n/LanguageProvider.tsx";

/** A warning of the gateway about an image; in English if there is no translation. */
export function ImageWarning({ warning }: { warning: string }) {
  const { language } = useTranslator();
  const translated = language === "de" ? germanWarning(warning) : undefined;
  return (
    <p className="warning" lang={translated === undefined ? "en" : undefined}>
      {translated ?? warning}
    </p>
  );
}
