import { Fragment } from "react";
import { useTranslator } from "../i18n/LanguageProvider.tsx";
import { modelName } from "../modelName.ts";

/** Separated by commas. A line does not end within a name. */
export function ModelNames({ names }: { names: readonly string[] }) {
  const translator = useTranslator();
  return names.map((name, index) => (
    <Fragment key={name}>
      {index > 0 ? ", " : ""}
      <span className="nowrap">{modelName(translator, name)}</span>
    </Fragment>
  ));
}
