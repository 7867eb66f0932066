/** A line graph in SVG. Lines differ by their dashes as well, so that colour is never the only distinction. */
import { useId } from "react";
import { useTranslator } from "../i18n/LanguageProvider.tsx";

export interface Line {
  name: string;
  x: readonly number[];
  /** 0 to 1. */
  y: readonly number[];
}

interface GraphProps {
  title: string;
  xLabel: string;
  yLabel: string;
  lines: readonly Line[];
  xMax?: number;
  diagonal?: boolean;
  dots?: boolean;
}

const SIDE = 260;
const LEFT = 44;
const TOP = 8;
const RIGHT = 12;
const BOTTOM = 40;
const DASHES = ["", "8 4", "2 3", "10 3 2 3", "4 2"];
const TICKS = [0, 0.25, 0.5, 0.75, 1];

export function Graph({ title, xLabel, yLabel, lines, xMax = 1, diagonal = false, dots = false }: GraphProps) {
  const titleId = useId();
  const x = (value: number) => LEFT + (Math.min(value, xMax) / xMax) * SIDE;
  return (
    <figure className="graph">
      <figcaption id={titleId}>{title}</figcaption>
      <svg viewBox={`0 0 ${LEFT + SIDE + RIGHT} ${TOP + SIDE + BOTTOM}`} role="img" aria-labelledby={titleId}>
        <Axes xLabel={xLabel} yLabel={yLabel} xMax={xMax} />
        {diagonal ? <line className="diagonal" x1={x(0)} y1={toY(0)} x2={x(1)} y2={toY(1)} /> : null}
        {lines.map((line, index) => (
          <g key={line.name} className={`line line-${index % DASHES.length}`}>
            <polyline points={line.x.map((value, at) => `${x(value)},${toY(line.y[at] ?? 0)}`).join(" ")} strokeDasharray={dashesOf(index)} />
            {dots ? line.x.map((value, at) => <circle key={value} cx={x(value)} cy={toY(line.y[at] ?? 0)} r={3.5} />) : null}
          </g>
        ))}
      </svg>
      {lines.length > 1 ? <Legend lines={lines} /> : null}
    </figure>
  );
}

function toY(value: number): number {
  return TOP + (1 - value) * SIDE;
}

function dashesOf(index: number): string | undefined {
  return DASHES[index % DASHES.length];
}

function Axes({ xLabel, yLabel, xMax }: { xLabel: string; yLabel: string; xMax: number }) {
  const translator = useTranslator();
  const right = LEFT + SIDE;
  return (
    <>
      {TICKS.map((tick) => (
        <g key={tick} className="tick">
          <line x1={LEFT} x2={right} y1={toY(tick)} y2={toY(tick)} />
          <text x={LEFT - 6} y={toY(tick) + 4} textAnchor="end">
            {translator.decimal(tick)}
          </text>
          <text x={LEFT + tick * SIDE} y={toY(0) + 16} textAnchor="middle">
            {translator.decimal(tick * xMax)}
          </text>
        </g>
      ))}
      <text className="axis" x={LEFT + SIDE / 2} y={toY(0) + 34} textAnchor="middle">
        {xLabel}
      </text>
      <text className="axis" transform={`translate(12 ${toY(0.5)}) rotate(-90)`} textAnchor="middle">
        {yLabel}
      </text>
    </>
  );
}

function Legend({ lines }: { lines: readonly Line[] }) {
  return (
    <ul className="legend">
      {lines.map((line, index) => (
        <li key={line.name}>
          <svg viewBox="0 0 30 8" aria-hidden="true" className={`line line-${index % DASHES.length}`}>
            <line x1={0} x2={30} y1={4} y2={4} strokeDasharray={dashesOf(index)} />
          </svg>
          {line.name}
        </li>
      ))}
    </ul>
  );
}
