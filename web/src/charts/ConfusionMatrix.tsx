import type { Curves } from "../api.ts";
import { useTranslator } from "../i18n/LanguageProvider.tsx";

type Matrix = Curves["confusion"];

/** The longest word breaks, so that the matrix fits on a phone. */
function hyphenated(term: string): string {
  return term.replace(/^Cholangio/, "Cholangio\u00ad");
}

export function ConfusionMatrix({ matrix }: { matrix: Matrix }) {
  const translator = useTranslator();
  return (
    <div className="wide" tabIndex={0} role="region" aria-label={translator.text("confusionMatrix")}>
      <table className="confusion">
        <caption>{translator.text("confusionMatrix")}</caption>
        <thead>
          <tr>
            <th scope="col">{translator.text("trueVersusPredicted")}</th>
            {matrix.columns.map((column) => (
              <th scope="col" key={column}>
                {hyphenated(translator.term(column))}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {matrix.rows.map((row, index) => (
            <MatrixRow key={row} label={row} columns={matrix.columns} counts={matrix.counts[index] ?? []} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function MatrixRow({ label, columns, counts }: { label: string; columns: readonly string[]; counts: readonly number[] }) {
  const translator = useTranslator();
  const total = counts.reduce((sum, count) => sum + count, 0);
  return (
    <tr>
      <th scope="row">{hyphenated(translator.term(label))}</th>
      {counts.map((count, index) => (
        <td key={columns[index]} className={label === columns[index] ? "correct" : ""}>
          {count} <span className="quiet">{total > 0 ? translator.percent(count / total) : ""}</span>
        </td>
      ))}
    </tr>
  );
}
