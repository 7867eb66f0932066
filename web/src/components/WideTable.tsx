/** A table that scrolls sideways by itself, by keyboard as well, with its head in the user's language. */
import type { ReactNode } from "react";
import type { MessageKey } from "../i18n/en.ts";
import { useTranslator } from "../i18n/LanguageProvider.tsx";
import { columnLabels } from "./columnLabels.ts";

interface WideTableProps {
  label: string;
  columns: readonly MessageKey[];
  /** By default, rows are cards in narrow windows. */
  className?: string;
  /** The rows. */
  children: ReactNode;
}

export function WideTable({ label, columns, className, children }: WideTableProps) {
  const translator = useTranslator();
  return (
    <div className="wide" tabIndex={0} role="region" aria-label={label}>
      <table className={className ?? "stacked"} style={columnLabels(columns.map((key) => translator.text(key)))}>
        <thead>
          <tr>
            {columns.map((key) => (
              <th scope="col" key={key}>
                {translator.text(key)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  );
}
