/** What each model measured, from its card, with intervals. */
import { useCallback, useState } from "react";
import { CurvesShown } from "../charts.tsx";
import { useSay } from "../i18n.tsx";
import { useLoaded } from "../loading.tsx";
import { TroubleBox } from "../problems.tsx";
import { answered, useSession, type Curves, type ServedModel } from "../session.tsx";

const MAIN: Record<string, string[]> = {
  classification: ["accuracy", "macro_f1", "tumour_type_accuracy", "size_matched_type_accuracy", "roc_auc", "calibration_error"],
  detection: ["map_50", "map_50_95", "sensitivity", "false_positives_per_image", "real_lesion_sensitivity"],
  input_check: ["accepted_test_slices", "accepted_photographs", "accepted_other_modalities", "accepted_text", "accepted_noise"],
};

export function Models() {
  const say = useSay();
  const { hepar } = useSession();
  const { found, trouble } = useLoaded(
    useCallback(async () => answered(await hepar.GET("/v1/models", { params: {} })), [hepar]),
  );
  return (
    <section>
      <h1>{say("models")}</h1>
      <p className="notice">{say("modelsText")}</p>
      <TroubleBox trouble={trouble} />
      {["classification", "detection", "input_check"].map((task) => (
        <Compared key={task} task={task} models={found?.models.filter((model) => model.card.task === task) ?? []} />
      ))}
    </section>
  );
}

interface Figures {
  name: string;
  serving?: boolean;
  metrics: ServedModel["card"]["metrics"];
  curves?: Curves | null | undefined;
}

function Compared({ task, models }: { task: string; models: ServedModel[] }) {
  const say = useSay();
  const [metric, setMetric] = useState(MAIN[task]?.[0] ?? "");
  const [drawn, setDrawn] = useState<string>();
  if (models.length === 0) return null;
  const rows: Figures[] = models.map(({ card, serving }) => ({ name: card.name, serving, metrics: card.metrics, curves: card.curves }));
  const ensemble = models[0]?.card.ensemble;
  for (const [name, fitted] of Object.entries(ensemble?.methods ?? {})) {
    if (fitted) rows.push({ name: name.replaceAll("_", " "), metrics: fitted.metrics, curves: fitted.curves });
  }
  const measured = rows.filter((row) => row.curves);
  const first = measured.find((row) => row.name === ensemble?.default.replaceAll("_", " ")) ?? measured[0];
  const shown = measured.find((row) => row.name === drawn) ?? first;
  const names = [...new Set([...(MAIN[task] ?? []), ...rows.flatMap((row) => Object.keys(row.metrics))])].filter((name) =>
    rows.some((row) => row.metrics[name]),
  );
  const most = Math.max(1, ...rows.map((row) => row.metrics[metric]?.high ?? 0));
  return (
    <article>
      <h2>{task.replaceAll("_", " ")}</h2>
      <label>
        {say("metric")}{" "}
        <select value={metric} onChange={(event) => setMetric(event.target.value)}>
          {names.map((name) => (
            <option key={name}>{name}</option>
          ))}
        </select>
      </label>
      <div className="wide" tabIndex={0} role="region" aria-label={say("models")}>
        <table>
          <thead>
            <tr>
              <th scope="col">{say("models")}</th>
              <th scope="col">{say("value")}</th>
              <th scope="col">{say("interval")}</th>
              <th scope="col">{say("status")}</th>
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => {
              const figure = row.metrics[metric];
              return (
                <tr key={row.name}>
                  <th scope="row">{row.name}</th>
                  <td>
                    {figure ? (
                      <>
                        <meter min={0} max={most} value={figure.value} aria-label={`${row.name} ${metric}`} /> {figure.value.toFixed(3)}
                      </>
                    ) : null}
                  </td>
                  <td>{figure ? `${figure.low.toFixed(3)} – ${figure.high.toFixed(3)}` : ""}</td>
                  <td>{row.serving === undefined ? "" : say(row.serving ? "serving" : "notServing")}</td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
      {shown?.curves ? (
        <>
          <h3>{say("graphs")}</h3>
          <label>
            {say("graphsOf")}{" "}
            <select value={shown.name} onChange={(event) => setDrawn(event.target.value)}>
              {measured.map((row) => (
                <option key={row.name}>{row.name}</option>
              ))}
            </select>
          </label>
          <CurvesShown curves={shown.curves} />
        </>
      ) : null}
    </article>
  );
}
