import { Fragment } from "react";
import type { StudyResult } from "../../api.ts";
import { ServerPhrase } from "../../components/ImageText.tsx";
import { ModelNames } from "../../components/ModelNames.tsx";
import { scaleText } from "../../results.ts";
import { useTranslator } from "../../i18n/LanguageProvider.tsx";

/** Which series was analysed and why, at which scale, and with which models. */
export function StudyFacts({ result: { volume, series, models, missing_models, unreadable_files, software_version, version } }: { result: StudyResult }) {
  const translator = useTranslator();
  return (
    <details>
      <summary>{translator.text("howComputed")}</summary>
      <h2>{translator.text("series")}</h2>
      <ul>
        {series.map(({ id, number, description, images, chosen, reason }) => (
          <li key={id}>
            <strong>{chosen ? translator.text("analysed") : translator.text("notAnalysed")}</strong>: {description ?? id}
            {number === null ? "" : ` (${number})`}, {translator.text("imageCount", { count: images })}. <ServerPhrase text={reason} />
          </li>
        ))}
      </ul>
      {unreadable_files.length > 0 ? (
        <ul>
          {unreadable_files.map(({ index, detail }) => (
            <li className="warning" key={index}>
              {translator.text("unreadableFile", { number: index + 1 })}: <ServerPhrase text={detail} />
            </li>
          ))}
        </ul>
      ) : null}
      {volume.scale ? (
        <>
          <h2>{translator.text("scale")}</h2>
          <p>
            {scaleText(translator, volume.scale)} {translator.text("scaleCloserInSlices")}
          </p>
        </>
      ) : null}
      <h2>{translator.text("models")}</h2>
      <p>
        {models.map(({ model, version: used }, index) => (
          <Fragment key={model}>
            {index > 0 ? ", " : ""}
            <span className="nowrap">{translator.text("modelNameAndVersion", { model, version: used })}</span>
          </Fragment>
        ))}
      </p>
      {missing_models.length > 0 ? (
        <p className="warning">
          {translator.text("missingModels")} <ModelNames names={missing_models} />
        </p>
      ) : null}
      <p className="quiet">{translator.text("resultVersion", { version, software: software_version })}</p>
    </details>
  );
}
