/** The user's language, for every component below. */
import { createContext, use, useEffect, useMemo, useState, type ReactNode } from "react";
import { initialLanguage, regionalLocale, Translator, type Language } from "./translator.ts";

const STORAGE_KEY = "hepar-language";

interface LanguageContext {
  language: Language;
  translator: Translator;
  setLanguage(language: Language): void;
}

const Context = createContext<LanguageContext | null>(null);

export function LanguageProvider({ children }: { children: ReactNode }) {
  const [language, setLanguage] = useState(() => initialLanguage(localStorage.getItem(STORAGE_KEY), navigator.languages));
  const context = useMemo<LanguageContext>(
    () => ({
      language,
      translator: new Translator(language, regionalLocale(language, navigator.languages)),
      setLanguage(next) {
        localStorage.setItem(STORAGE_KEY, next);
        setLanguage(next);
      },
    }),
    [language],
  );
  useEffect(() => {
    document.documentElement.lang = language;
  }, [language]);
  return <Context value={context}>{children}</Context>;
}

export function useLanguage(): LanguageContext {
  const context = use(Context);
  if (context === null) throw new Error("useLanguage needs a LanguageProvider above it");
  return context;
}

export function useTranslator(): Translator {
  return useLanguage().translator;
}
