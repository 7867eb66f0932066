import type { StudyResult } from "../../api.ts";
import { useTranslator } from "../../i18n/LanguageProvider.tsx";

/** Which series was analysed and why, and with which models. */
export function StudyFacts({ result: { series, models, missing_models, unreadable_files, software_version, version } }: { result: StudyResult }) {
  const translator = useTranslator();
  return (
    <details>
      <summary>{translator.text("howComputed")}</summary>
      <h2>{translator.text("series")}</h2>
      <ul>
        {series.map(({ id, number, description, images, chosen, reason }) => (
          <li key={id}>
            <strong>{chosen ? translator.text("analysed") : translator.text("notAnalysed")}</strong>: {description ?? id}
            {number === null ? "" : ` (${number})`}, {translator.text("imageCount", { count: images })}. {reason}
          </li>
        ))}
      </ul>
      {unreadable_files.length > 0 ? (
        <ul>
          {unreadable_files.map(({ index, detail }) => (
            <li className="warning" key={index}>
              {translator.text("unreadableFile", { number: index + 1 })}: {detail}
            </li>
          ))}
        </ul>
      ) : null}
      <h2>{translator.text("models")}</h2>
      <p>{models.map(({ model, version: used }) => translator.text("modelNameAndVersion", { model, version: used })).join(", ")}</p>
      {missing_models.length > 0 ? <p className="warning">{translator.text("missingModels", { models: missing_models.join(", ") })}</p> : null}
      <p className="quiet">{translator.text("resultVersion", { version, software: software_version })}</p>
    </details>
  );
}
