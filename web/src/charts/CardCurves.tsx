/** All curves of a model card. */
import type { Curves } from "../api.ts";
import { useTranslator } from "../i18n/LanguageProvider.tsx";
import "./charts.css";
import { ConfusionMatrix } from "./ConfusionMatrix.tsx";
import { Graph, type Line } from "./Graph.tsx";

/** Intersection over union from which a box counts as a hit in the cards. */
const OVERLAP = 0.5;
const FALSE_POSITIVES_MAX = 2;

export function CardCurves({ curves }: { curves: Curves }) {
  return (
    <>
      <ConfusionMatrix matrix={curves.confusion} />
      <div className="graphs">
        <ClassificationGraphs curves={curves} />
        <DetectionGraphs curves={curves} />
      </div>
    </>
  );
}

function ClassificationGraphs({ curves }: { curves: Curves }) {
  const translator = useTranslator();
  const roc = Object.entries(curves.roc ?? {}).map<Line>(([label, curve]) => ({ name: translator.term(label), ...curve }));
  const bins = curves.reliability ?? [];
  const reliability = { name: "reliability", x: bins.map((bin) => bin.confidence), y: bins.map((bin) => bin.accuracy) };
  return (
    <>
      {roc.length > 0 ? (
        <Graph
          title={translator.text("roc")}
          xLabel={translator.text("falsePositiveRate")}
          yLabel={translator.text("truePositiveRate")}
          lines={roc}
          diagonal
        />
      ) : null}
      {bins.length > 0 ? (
        <Graph
          title={translator.text("reliability")}
          xLabel={translator.text("confidence")}
          yLabel={translator.text("accuracy")}
          lines={[reliability]}
          diagonal
          dots
        />
      ) : null}
    </>
  );
}

function DetectionGraphs({ curves: { froc, precision_recall: precisionRecall } }: { curves: Curves }) {
  const translator = useTranslator();
  return (
    <>
      {froc ? (
        <Graph
          title={translator.text("froc", { overlap: OVERLAP })}
          xLabel={translator.text("falsePositivesPerImage")}
          yLabel={translator.text("sensitivity")}
          lines={[{ name: "froc", ...froc }]}
          xMax={FALSE_POSITIVES_MAX}
        />
      ) : null}
      {precisionRecall ? (
        <Graph
          title={translator.text("precisionRecall", { overlap: OVERLAP })}
          xLabel={translator.text("recall")}
          yLabel={translator.text("precision")}
          lines={[{ name: "precision_recall", ...precisionRecall }]}
        />
      ) : null}
    </>
  );
}
