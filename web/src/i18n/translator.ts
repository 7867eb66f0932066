/** Texts and numbers in the user's language. */
import { de } from "./de.ts";
import { deTerms } from "./deTerms.ts";
import { en, type CountedMessage, type MessageKey, type Messages } from "./en.ts";
import { enTerms, type Terms } from "./enTerms.ts";

const MESSAGES = { en, de } satisfies Record<string, Messages>;
const TERMS = { en: enTerms, de: deTerms } satisfies Record<string, Terms>;

export type Language = keyof typeof MESSAGES;
export type Values = Record<string, string | number>;

/** Replaces placeholders. One without a value stays in the text, so that the mistake is visible. */
export function interpolate(template: string, values: Record<string, string>): string {
  return template.replace(/\{(\w+)\}/g, (placeholder, name: string) => values[name] ?? placeholder);
}

/** The stored choice, else the first language of the browser that is available, else English. */
export function initialLanguage(stored: string | null, preferred: readonly string[]): Language {
  const candidates = [stored ?? "", ...preferred].map((tag) => tag.slice(0, 2).toLowerCase());
  return (candidates.find((tag) => tag in MESSAGES) as Language | undefined) ?? "en";
}

/** The regional variant of the language that the browser prefers, for the format of numbers and dates. */
export function regionalLocale(language: Language, preferred: readonly string[]): string {
  return preferred.find((tag) => tag.slice(0, 2).toLowerCase() === language) ?? language;
}

export class Translator {
  constructor(
    readonly language: Language,
    private readonly locale: string = language,
  ) {}

  /** Numbers among the values are written in the user's language, with at most two decimals. */
  text(key: MessageKey, values: Values = {}): string {
    const message = (MESSAGES[this.language] as Messages)[key];
    const template = typeof message === "string" ? message : this.counted(message, Number(values["count"] ?? 0));
    const written = Object.entries(values).map(([name, value]) => [name, typeof value === "number" ? this.decimal(value) : value]);
    return interpolate(template, Object.fromEntries(written) as Record<string, string>);
  }

  /** With exactly this many decimals. */
  number(value: number, decimals: number): string {
    return this.format(value, { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
  }

  /** With up to two decimals, without trailing zeros. */
  decimal(value: number): string {
    return this.format(value, { maximumFractionDigits: 2 });
  }

  /** A probability or score of models, with two decimals. A model is never certain: the limits are those of the report. */
  probability(value: number): string {
    if (value > 0.99) return `>\u00a0${this.number(0.99, 2)}`;
    return value < 0.01 ? `<\u00a0${this.number(0.01, 2)}` : this.number(value, 2);
  }

  /** share: 0 to 1. */
  percent(share: number, decimals = 0): string {
    return this.format(share, { style: "percent", minimumFractionDigits: decimals, maximumFractionDigits: decimals });
  }

  /** To the minute; `medium` gives seconds as well. */
  dateTime(iso: string, timeStyle: "short" | "medium" = "short"): string {
    return new Date(iso).toLocaleString(this.locale, { dateStyle: "short", timeStyle });
  }

  /** iso: a date without time, YYYY-MM-DD; `long` gives the month as a word. */
  date(iso: string, dateStyle?: "long"): string {
    return new Date(`${iso}T00:00`).toLocaleDateString(this.locale, dateStyle && { dateStyle });
  }

  /** The name of a label, role, metric or other identifier of the API. Unknown ones are shown as they are. */
  term(identifier: string): string {
    const terms: Record<string, string> = TERMS[this.language];
    return Object.hasOwn(terms, identifier) ? (terms[identifier] as string) : identifier.replaceAll("_", " ");
  }

  private counted({ zero, one, other }: CountedMessage, count: number): string {
    if (count === 0 && zero !== undefined) return zero;
    return new Intl.PluralRules(this.locale).select(count) === "one" ? one : other;
  }

  private format(value: number, options: Intl.NumberFormatOptions): string {
    return new Intl.NumberFormat(this.locale, { useGrouping: false, ...options }).format(value);
  }
}
