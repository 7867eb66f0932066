import type { MessageKey } from "../i18n/en.ts";
import { useTranslator } from "../i18n/LanguageProvider.tsx";

interface KeyListProps {
  /** Of what describes a viewer. */
  id?: string;
  /** A message with one line for each gesture: the keys, a bar, and what they do. */
  text: MessageKey;
}

export function KeyList({ id, text }: KeyListProps) {
  const lines = useTranslator().text(text).split("\n");
  return (
    <dl id={id} className="keys quiet">
      {lines.map((line) => {
        const [keys, effect] = line.split(" | ");
        return (
          <div key={keys}>
            <dt>{keys}</dt>
            <dd>{effect}</dd>
          </div>
        );
      })}
    </dl>
  );
}
