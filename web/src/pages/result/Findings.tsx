/** The ensemble's result in words, warnings, and the votes. */
import type { Analysis, Classification } from "../../api.ts";
import { ImageText } from "../../components/ImageText.tsx";
import { ModelNames } from "../../components/ModelNames.tsx";
import { useTranslator } from "../../i18n/LanguageProvider.tsx";
import { agreementOf, contradictionText, detectionOf, imageOf, outcomeText, scaleText, warningsOf } from "../../results.ts";

type Vote = Classification["votes"][number];

export function Findings({ classification, analysis }: { classification: Classification; analysis: Analysis }) {
  const translator = useTranslator();
  const missing = new Set([...classification.missing_models, ...(detectionOf(analysis)?.missing_models ?? [])]);
  const contradiction = contradictionText(translator, analysis);
  const scale = imageOf(analysis)?.scale;
  const outside = detectionOf(analysis)?.boxes_outside_liver ?? 0;
  return (
    <>
      <p className="verdict" role="status">
        {outcomeText(translator, classification)}
      </p>
      {contradiction === undefined ? null : <p className="warning">{contradiction}</p>}
      {outside > 0 ? <p className="quiet">{translator.text("boxesOutsideLiver", { count: outside })}</p> : null}
      {classification.votes.length > 0 ? <Agreement classification={classification} /> : null}
      {missing.size > 0 ? (
        <p className="warning">
          {translator.text("missingModels")} <ModelNames names={[...missing]} />
        </p>
      ) : null}
      {warningsOf(analysis).map((warning) => (
        <ImageText key={warning} className="warning" text={warning} />
      ))}
      {scale === undefined ? null : <p className="quiet">{scaleText(translator, scale)}</p>}
      {classification.votes.length > 0 ? <Votes votes={classification.votes} /> : null}
    </>
  );
}

/** In words; the measures of uncertainty on demand. */
function Agreement({ classification }: { classification: Classification }) {
  const translator = useTranslator();
  const { entropy, mutual_information: disagreement } = classification;
  return (
    <>
      <p>{translator.text("agreement", agreementOf(classification))}.</p>
      {entropy === null || disagreement === null ? null : (
        <details className="quiet">
          <summary>{translator.text("numbers")}</summary>
          {translator.text("uncertainty", { entropy: translator.number(entropy, 2), disagreement: translator.number(disagreement, 2) })}
        </details>
      )}
    </>
  );
}

function Votes({ votes }: { votes: readonly Vote[] }) {
  const translator = useTranslator();
  return (
    <table className="votes">
      <caption>{translator.text("votes")}</caption>
      <tbody>
        {votes.map((vote) => (
          <tr key={vote.model}>
            <th scope="row">
              <ModelNames names={[vote.model]} />
            </th>
            <td>
              {Object.entries(vote.probabilities).map(([label, probability]) => (
                <ProbabilityBar key={label} label={translator.term(label)} probability={probability} />
              ))}
            </td>
            <td className="quiet">
              {translator.text("modelVersion", { version: vote.version, duration: Math.round(vote.duration_ms) })}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function ProbabilityBar({ label, probability }: { label: string; probability: number }) {
  const translator = useTranslator();
  return (
    <span className="bar">
      <meter min={0} max={1} value={Number(probability.toFixed(2))} aria-label={label} />
      {label} {translator.probability(probability)}
    </span>
  );
}
