/** Words in the reader's language, from message files. */
import { createContext, use, useMemo, useState, type ReactNode } from "react";
import { de } from "./messages/de.ts";
import { en, type Messages } from "./messages/en.ts";

const LANGUAGES = { en, de } as const;
export type Language = keyof typeof LANGUAGES;
export type Word = keyof Messages;
export type Say = (word: Word, values?: Record<string, string | number>) => string;

/** The message with its placeholders filled; one that has no value stays as it is, to be seen. */
export function filled(message: string, values: Record<string, string | number> = {}): string {
  return message.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}

export function firstLanguage(stored: string | null, preferred: readonly string[]): Language {
  const wanted = [stored ?? "", ...preferred].map((tag) => tag.slice(0, 2).toLowerCase());
  return (wanted.find((tag) => tag in LANGUAGES) as Language | undefined) ?? "en";
}

interface Speech {
  language: Language;
  say: Say;
  speak(language: Language): void;
}

const Context = createContext<Speech | null>(null);

export function Speaking({ children }: { children: ReactNode }) {
  const [language, setLanguage] = useState<Language>(() =>
    firstLanguage(localStorage.getItem("hepar-language"), navigator.languages),
  );
  const speech = useMemo<Speech>(
    () => ({
      language,
      say: (word, values) => filled(LANGUAGES[language][word], values),
      speak(next) {
        localStorage.setItem("hepar-language", next);
        setLanguage(next);
      },
    }),
    [language],
  );
  document.documentElement.lang = language;
  return <Context value={speech}>{children}</Context>;
}

export function useSpeech(): Speech {
  const speech = use(Context);
  if (speech === null) throw new Error("outside of Speaking");
  return speech;
}

export function useSay(): Say {
  return useSpeech().say;
}

/** To two digits, but never as certain as 1.00 or 0.00 would say. */
export function probable(probability: number): string {
  if (probability > 0.994) return "> 0.99";
  return probability < 0.005 ? "< 0.01" : probability.toFixed(2);
}

/** A label of the models in words; one that is not known as it is. */
export function labelled(say: Say, label: string): string {
  const known = ["cholangiocarcinoma", "metastasis", "no_tumour"].includes(label);
  return known ? say(label as Word) : label.replaceAll("_", " ");
}
