import type { CSSProperties } from "react";

/** For a table whose rows are shown as cards in narrow windows: each cell says its column. See `.stacked` in style.css. */
export function columnLabels(texts: readonly string[]): CSSProperties {
  return Object.fromEntries(texts.map((text, index) => [`--column-${index + 1}`, JSON.stringify(text)]));
}
