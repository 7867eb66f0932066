/** The measured performance of each model, from its card. */
import { useCallback, useState } from "react";
import { dataOrThrow, type Curves, type ServedModel } from "../api.ts";
import { CardCurves } from "../charts/CardCurves.tsx";
import { ErrorBox } from "../components/ErrorBox.tsx";
import { ModelNames } from "../components/ModelNames.tsx";
import { Options } from "../components/Options.tsx";
import { usePageTitle } from "../components/usePageTitle.ts";
import { useResource } from "../components/useResource.ts";
import { WideTable } from "../components/WideTable.tsx";
import { useTranslator } from "../i18n/LanguageProvider.tsx";
import { modelName } from "../modelName.ts";
import { useSession } from "../session/SessionProvider.tsx";

/** Shown first; other metrics of the cards follow. */
const MAIN_METRICS: Record<string, string[]> = {
  classification: ["accuracy", "macro_f1", "tumour_type_accuracy", "size_matched_type_accuracy", "roc_auc", "calibration_error"],
  detection: ["map_50", "map_50_95", "sensitivity", "false_positives_per_image", "real_lesion_sensitivity"],
  segmentation: ["liver_dice", "lesion_dice", "lesion_recall", "small_lesion_recall", "real_lesion_recall"],
  input_check: ["accepted_test_slices", "accepted_photographs", "accepted_other_modalities", "accepted_text", "accepted_noise"],
};

/** A model, or a decision method of the ensemble. */
interface Measured {
  name: string;
  /** undefined for a decision method. */
  available?: boolean;
  metrics: ServedModel["card"]["metrics"];
  curves?: Curves | null | undefined;
}

export function ModelsPage() {
  const translator = useTranslator();
  const { hepar } = useSession();
  usePageTitle(translator.text("models"));
  const { data, error } = useResource(
    useCallback(async () => dataOrThrow(await hepar.GET("/v1/models", { params: {} })).models, [hepar]),
  );
  return (
    <section>
      <h1>{translator.text("models")}</h1>
      <p className="notice">{translator.text("modelsText")}</p>
      <ErrorBox error={error} />
      {Object.keys(MAIN_METRICS).map((task) => {
        const models = data?.filter((model) => model.card.task === task) ?? [];
        return models.length > 0 ? <Task key={task} task={task} models={models} /> : null;
      })}
    </section>
  );
}

function Task({ task, models }: { task: string; models: readonly ServedModel[] }) {
  const translator = useTranslator();
  const measured = measuredOf(models);
  const metrics = metricNames(task, measured);
  const [metric, setMetric] = useState(metrics[0] ?? "");
  return (
    <article>
      <h2>{translator.term(task)}</h2>
      {metrics.length > 0 ? <MetricSelect metrics={metrics} selected={metric} onSelect={setMetric} /> : null}
      <MetricTable measured={measured} metric={metric} />
      <Graphs measured={measured} initial={models[0]?.card.ensemble?.default} />
    </article>
  );
}

interface MetricSelectProps {
  metrics: readonly string[];
  selected: string;
  onSelect(metric: string): void;
}

function MetricSelect({ metrics, selected, onSelect }: MetricSelectProps) {
  const translator = useTranslator();
  return (
    <div className="tools">
      <label>
        {translator.text("metric")}
        <select value={selected} onChange={(event) => onSelect(event.target.value)}>
          <Options values={metrics} text={(name) => translator.term(name)} />
        </select>
      </label>
    </div>
  );
}

function measuredOf(models: readonly ServedModel[]): Measured[] {
  const single = models.map<Measured>(({ card, serving }) => ({
    name: card.name,
    available: serving,
    metrics: card.metrics,
    curves: card.curves,
  }));
  const methods = Object.entries(models[0]?.card.ensemble?.methods ?? {}).flatMap<Measured>(([name, method]) =>
    method ? [{ name, metrics: method.metrics, curves: method.curves }] : [],
  );
  return [...single, ...methods];
}

function metricNames(task: string, measured: readonly Measured[]): string[] {
  const all = [...(MAIN_METRICS[task] ?? []), ...measured.flatMap((one) => Object.keys(one.metrics))];
  return [...new Set(all)].filter((name) => measured.some((one) => one.metrics[name]));
}

function MetricTable({ measured, metric }: { measured: readonly Measured[]; metric: string }) {
  const translator = useTranslator();
  const scaleMax = Math.max(1, ...measured.map((one) => one.metrics[metric]?.high ?? 0));
  return (
    <WideTable label={translator.term(metric)} columns={["model", "value", "interval", "status"]}>
      {measured.map((one) => (
        <MetricRow key={one.name} measured={one} metric={metric} scaleMax={scaleMax} />
      ))}
    </WideTable>
  );
}

function MetricRow({ measured, metric, scaleMax }: { measured: Measured; metric: string; scaleMax: number }) {
  const translator = useTranslator();
  const { name, available, metrics } = measured;
  const estimate = metrics[metric];
  return (
    <tr>
      <th scope="row">
        <ModelNames names={[name]} />
      </th>
      <td>
        {estimate ? (
          <>
            <meter min={0} max={scaleMax} value={estimate.value} aria-label={`${modelName(translator, name)}, ${translator.term(metric)}`} />{" "}
            {translator.number(estimate.value, 3)}
          </>
        ) : null}
      </td>
      <td>{estimate ? `${translator.number(estimate.low, 3)} – ${translator.number(estimate.high, 3)}` : ""}</td>
      <td>{available === undefined ? "" : translator.text(available ? "available" : "unavailable")}</td>
    </tr>
  );
}

function Graphs({ measured, initial }: { measured: readonly Measured[]; initial: string | undefined }) {
  const translator = useTranslator();
  const [selected, setSelected] = useState(initial);
  const withCurves = measured.filter((one) => one.curves);
  const shown = withCurves.find((one) => one.name === selected) ?? withCurves[0];
  if (!shown?.curves) return null;
  return (
    <>
      <h3>{translator.text("graphs")}</h3>
      <div className="tools">
        <label>
          {translator.text("graphsOf")}
          <select value={shown.name} onChange={(event) => setSelected(event.target.value)}>
            <Options values={withCurves.map(({ name }) => name)} text={(name) => modelName(translator, name)} />
          </select>
        </label>
      </div>
      <CardCurves curves={shown.curves} />
    </>
  );
}
