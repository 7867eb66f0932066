import { germanText } from "../i18n/dePatterns.ts";
import { useTranslator } from "../i18n/LanguageProvider.tsx";

interface ServerTextProps {
  text: string;
  className?: string;
}

/** A warning or refusal of the server; in English if there is no translation. The English text is the title of a translation. */
export function ImageText({ text, className }: ServerTextProps) {
  return <p {...useServerText(text)} className={className} />;
}

/** The same within a line. */
export function ServerPhrase({ text, className }: ServerTextProps) {
  return <span {...useServerText(text)} className={className} />;
}

function useServerText(text: string) {
  const { language } = useTranslator();
  const translated = language === "de" ? germanText(text) : undefined;
  return translated === undefined ? { lang: "en", children: text } : { title: text, children: translated };
}
