/** The report of a study: its page, the choice of language and key images, and every output. */
import { useCallback, useState } from "react";
import { Link, useParams, useSearchParams } from "react-router";
import { dataOrThrow, type StudyResult } from "../api.ts";
import { ErrorBox } from "../components/ErrorBox.tsx";
import { usePageTitle } from "../components/usePageTitle.ts";
import { useResource } from "../components/useResource.ts";
import { useTranslator } from "../i18n/LanguageProvider.tsx";
import { LANGUAGE_NAMES } from "../i18n/languages.ts";
import { Translator, type Language } from "../i18n/translator.ts";
import { useSession } from "../session/SessionProvider.tsx";
import { ownKeySlices, readOptions, writeOptions, type ReportOptions } from "../studies/reportOptions.ts";
import { findingSentence, studyNumbers, studyTitle } from "../studies/words.ts";
import { KeyImages } from "./report/KeyImages.tsx";
import { ReportFiles } from "./report/ReportFiles.tsx";
import { ReportPreview } from "./report/ReportPreview.tsx";
import { ReportSending } from "./report/ReportSending.tsx";

export default function ReportPage() {
  const translator = useTranslator();
  const { hepar } = useSession();
  const { id = "" } = useParams();
  const { data, error } = useResource(
    useCallback(async () => {
      const params = { path: { study_id: id } };
      const study = dataOrThrow(await hepar.GET("/v1/studies/{study_id}", { params }));
      const result = dataOrThrow(await hepar.GET("/v1/studies/{study_id}/result", { params })) as StudyResult;
      return { study, result };
    }, [hepar, id]),
  );
  usePageTitle(translator.text("report"));
  return (
    <section className="report-page">
      <div className="study-head">
        <Link to={`/studies/${id}`}>{translator.text("backToStudy")}</Link>
        <h1>{translator.text("report")}</h1>
        {data ? <p className="quiet">{[studyTitle(translator, data.study), studyNumbers(data.study)].filter(Boolean).join(" · ")}</p> : null}
      </div>
      <ErrorBox error={error} />
      {data === undefined && error === undefined ? <p role="status">{translator.text("loading")}</p> : null}
      {data ? <Report result={data.result} /> : null}
    </section>
  );
}

function Report({ result }: { result: StudyResult }) {
  const translator = useTranslator();
  const [query, setQuery] = useSearchParams();
  const options = readOptions(query, translator.language, result.volume.slices);
  const change = (changes: Partial<ReportOptions>) => setQuery(writeOptions({ ...options, ...changes }), { replace: true });
  const chosen = options.slices.length > 0 ? options.slices : ownKeySlices(result);
  return (
    <>
      <div className="columns">
        <ReportPreview result={result} options={options} />
        <div className="findings">
          <Actions result={result} language={options.language} onLanguage={(language) => change({ language })} />
          <KeyImages result={result} chosen={chosen} onChange={(slices) => change({ slices })} />
          <ReportSending result={result} options={options} />
          <ReportFiles result={result} options={options} />
        </div>
      </div>
    </>
  );
}

interface ActionsProps {
  result: StudyResult;
  language: Language;
  onLanguage(language: Language): void;
}

function Actions({ result, language, onLanguage }: ActionsProps) {
  const translator = useTranslator();
  const [copied, setCopied] = useState<string>();
  const sentence = findingSentence(new Translator(language), result);
  return (
    <>
      <p lang={language}>{sentence}</p>
      <div className="tools">
        <button type="button" onClick={() => void navigator.clipboard.writeText(sentence).then(() => setCopied(sentence))}>
          {translator.text(copied === sentence ? "copied" : "copySentence")}
        </button>
        <button type="button" onClick={() => print()}>
          {translator.text("print")}
        </button>
        <label>
          {translator.text("reportLanguage")}
          <select value={language} onChange={(event) => onLanguage(event.target.value as Language)}>
            {Object.entries(LANGUAGE_NAMES).map(([tag, name]) => (
              <option key={tag} value={tag} lang={tag}>
                {name}
              </option>
            ))}
          </select>
        </label>
      </div>
    </>
  );
}
