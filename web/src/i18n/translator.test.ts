import { expect, test } from "vitest";
import problemPages from "../../../docs/problems.md?raw";
import { de } from "./de.ts";
import { deProblems } from "./deProblems.ts";
import { deTerms } from "./deTerms.ts";
import { en, type MessageKey, type Messages } from "./en.ts";
import { enTerms } from "./enTerms.ts";
import { initialLanguage, interpolate, regionalLocale, Translator } from "./translator.ts";

const english = new Translator("en");
const german = new Translator("de");

interface Card {
  task: string;
  metrics: Record<string, unknown>;
  ensemble: { methods: Record<string, { metrics: Record<string, unknown> }> } | null;
}

function placeholders(messages: Messages, key: MessageKey): string[] {
  const message = messages[key];
  const templates = typeof message === "string" ? [message] : [message.one, message.other];
  return templates.flatMap((template) => [...template.matchAll(/\{(\w+)\}/g)].map((match) => match[1] ?? "")).toSorted();
}

test("every message has the same placeholders in both languages", () => {
  for (const key of Object.keys(en) as MessageKey[]) expect(placeholders(de, key), key).toEqual(placeholders(en, key));
});

test("every term is translated", () => {
  expect(Object.keys(deTerms)).toEqual(Object.keys(enTerms));
});

test("every problem type of the gateway has a German text", () => {
  const types = [...problemPages.matchAll(/^## `\/problems\/(.+)`$/gm)].map((match) => match[1]);
  expect(types.length).toBeGreaterThan(20);
  expect(types.filter((type) => type !== undefined && !(type in deProblems))).toEqual([]);
});

test("every task, method and metric of the shipped models has a name", () => {
  const cards = Object.values(import.meta.glob<Card>("../../../triton_models/*/card.json", { eager: true, import: "default" }));
  expect(cards.length).toBeGreaterThan(9);
  const names = cards.flatMap((card) => [
    card.task,
    ...Object.keys(card.metrics),
    ...Object.entries(card.ensemble?.methods ?? {}).flatMap(([method, { metrics }]) => [method, ...Object.keys(metrics)]),
  ]);
  expect([...new Set(names)].filter((name) => !(name in enTerms))).toEqual([]);
});

test("a placeholder without a value stays visible", () => {
  expect(interpolate("{count} of {all}", { count: "2" })).toBe("2 of {all}");
});

test("the count chooses between singular and plural", () => {
  expect(english.text("boxesFound", { count: 1 })).toBe("1 lesion above the threshold");
  expect(english.text("boxesFound", { count: 2 })).toBe("2 lesions above the threshold");
  expect(german.text("boxesFound", { count: 0 })).toBe("Keine Läsion über der Schwelle");
  expect(german.text("imageCount", { count: 0 })).toBe("0 Bilder");
});

test("the language is the stored one, else the browser's, else English", () => {
  expect(initialLanguage("de", ["en-GB"])).toBe("de");
  expect(initialLanguage(null, ["fr-FR", "de-AT"])).toBe("de");
  expect(initialLanguage("xx", ["fr"])).toBe("en");
  expect(regionalLocale("de", ["en-GB", "de-AT"])).toBe("de-AT");
  expect(regionalLocale("de", ["en-GB"])).toBe("de");
});

test("a probability is never shown as certain", () => {
  expect([1, 0.991, 0.99, 0.5, 0.01, 0.009, 0].map((value) => english.probability(value))).toEqual([
    ">\u00a00.99",
    ">\u00a00.99",
    "0.99",
    "0.50",
    "0.01",
    "<\u00a00.01",
    "<\u00a00.01",
  ]);
});

test("a day in words cannot be read as another day", () => {
  expect(new Translator("en", "en-GB").date("2026-02-01", "long")).toBe("1 February 2026");
  expect(german.date("2026-02-01", "long")).toBe("1. Februar 2026");
});

test("German numbers have a decimal comma", () => {
  expect(german.probability(1)).toBe(">\u00a00,99");
  expect(german.number(1234.5, 1)).toBe("1234,5");
  expect(german.text("froc", { overlap: 0.5 })).toBe("FROC bei einer Überlappung von 0,5");
  expect(german.percent(0.954)).toBe("95\u00a0%");
});

test("an unknown identifier is shown without underscores", () => {
  expect(german.term("no_tumour")).toBe("Kein Tumor");
  expect(german.term("some_new_metric")).toBe("some new metric");
  expect(german.term("constructor")).toBe("constructor");
});
