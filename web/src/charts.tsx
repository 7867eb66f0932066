/** Graphs of a model card, in SVG: each line has its own dashes, so that nothing is told by colour alone. */
import { useId } from "react";
import { useSay } from "./i18n.tsx";
import type { Curves } from "./session.tsx";

export interface Line {
  name: string;
  x: readonly number[];
  y: readonly number[];
}

interface GraphProps {
  title: string;
  across: string;
  up: string;
  lines: readonly Line[];
  /** Largest value across; 1 by default. */
  most?: number;
  diagonal?: boolean;
  /** Points are drawn as dots too. */
  dots?: boolean;
}

const SIDE = 260;
const LEFT = 44;
const BOTTOM = 40;
const DASHES = ["", "8 4", "2 3", "10 3 2 3", "4 2"];
const TICKS = [0, 0.25, 0.5, 0.75, 1];

export function Graph({ title, across, up, lines, most = 1, diagonal = false, dots = false }: GraphProps) {
  const name = useId();
  const x = (value: number) => LEFT + (Math.min(value, most) / most) * SIDE;
  const y = (value: number) => 8 + (1 - value) * SIDE;
  return (
    <figure className="graph">
      <figcaption id={name}>{title}</figcaption>
      <svg viewBox={`0 0 ${LEFT + SIDE + 12} ${SIDE + BOTTOM + 8}`} role="img" aria-labelledby={name}>
        {TICKS.map((tick) => (
          <g key={tick} className="tick">
            <line x1={x(0)} x2={x(most)} y1={y(tick)} y2={y(tick)} />
            <text x={LEFT - 6} y={y(tick) + 4} textAnchor="end">
              {tick}
            </text>
            <text x={x(tick * most)} y={y(0) + 16} textAnchor="middle">
              {Number((tick * most).toFixed(2))}
            </text>
          </g>
        ))}
        <text className="axis" x={x(most / 2)} y={y(0) + 34} textAnchor="middle">
          {across}
        </text>
        <text className="axis" transform={`translate(12 ${y(0.5)}) rotate(-90)`} textAnchor="middle">
          {up}
        </text>
        {diagonal ? <line className="diagonal" x1={x(0)} y1={y(0)} x2={x(1)} y2={y(1)} /> : null}
        {lines.map((line, index) => (
          <g key={line.name} className={`line line-${index % DASHES.length}`}>
            <polyline points={line.x.map((value, at) => `${x(value)},${y(line.y[at] ?? 0)}`).join(" ")} strokeDasharray={DASHES[index % DASHES.length]} />
            {dots ? line.x.map((value, at) => <circle key={value} cx={x(value)} cy={y(line.y[at] ?? 0)} r={3.5} />) : null}
          </g>
        ))}
      </svg>
      {lines.length > 1 ? (
        <ul className="legend">
          {lines.map((line, index) => (
            <li key={line.name}>
              <svg viewBox="0 0 30 8" aria-hidden="true" className={`line line-${index % DASHES.length}`}>
                <line x1={0} x2={30} y1={4} y2={4} strokeDasharray={DASHES[index % DASHES.length]} />
              </svg>
              {line.name}
            </li>
          ))}
        </ul>
      ) : null}
    </figure>
  );
}

export function Confusion({ matrix }: { matrix: Curves["confusion"] }) {
  const say = useSay();
  return (
    <div className="wide" tabIndex={0} role="region" aria-label={say("confusion")}>
      <table className="confusion">
        <caption>{say("confusion")}</caption>
        <thead>
          <tr>
            <th scope="col">{say("trueAgainstSaid")}</th>
            {matrix.columns.map((column) => (
              <th scope="col" key={column}>
                {column.replaceAll("_", " ")}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {matrix.rows.map((row, index) => {
            const counts = matrix.counts[index] ?? [];
            const all = counts.reduce((sum, count) => sum + count, 0);
            return (
              <tr key={row}>
                <th scope="row">{row.replaceAll("_", " ")}</th>
                {counts.map((count, place) => (
                  <td key={matrix.columns[place]} className={row === matrix.columns[place] ? "right" : ""}>
                    {count}
                    <span className="quiet"> {all > 0 ? `${Math.round((100 * count) / all)} %` : ""}</span>
                  </td>
                ))}
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

/** Everything that a card's curves hold. */
export function CurvesShown({ curves }: { curves: Curves }) {
  const say = useSay();
  const roc = Object.entries(curves.roc ?? {}).map<Line>(([label, line]) => ({ name: label.replaceAll("_", " "), ...line }));
  const bins = curves.reliability ?? [];
  const reliability = { name: say("reliability"), x: bins.map((bin) => bin.confidence), y: bins.map((bin) => bin.accuracy) };
  const { froc, precision_recall: precision } = curves;
  return (
    <>
      <Confusion matrix={curves.confusion} />
      <div className="graphs">
        {roc.length > 0 ? <Graph title={say("roc")} across={say("falsePositiveRate")} up={say("truePositiveRate")} lines={roc} diagonal /> : null}
        {bins.length > 0 ? (
          <Graph title={say("reliability")} across={say("confidence")} up={say("accuracy")} lines={[reliability]} diagonal dots />
        ) : null}
        {froc ? (
          <Graph title={say("froc")} across={say("falsePositives")} up={say("sensitivity")} lines={[{ name: say("froc"), ...froc }]} most={2} />
        ) : null}
        {precision ? (
          <Graph title={say("precisionRecall")} across={say("recall")} up={say("precision")} lines={[{ name: say("precisionRecall"), ...precision }]} />
        ) : null}
      </div>
    </>
  );
}
