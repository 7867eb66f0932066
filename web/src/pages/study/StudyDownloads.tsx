import type { StudyResult } from "../../api.ts";
import { download } from "../../components/download.ts";
import { useTranslator } from "../../i18n/LanguageProvider.tsx";

/** The result as a file. */
export function StudyDownloads({ result }: { result: StudyResult }) {
  const translator = useTranslator();
  const json = () => download(`${result.study_id}.json`, JSON.stringify(result, null, 2), "application/json");
  return (
    <div className="tools">
      <button type="button" onClick={json}>
        {translator.text("downloadJson")}
      </button>
    </div>
  );
}
