import { useEffect, useState } from "react";
import type { StudyResult } from "../../api.ts";
import { useTranslator } from "../../i18n/LanguageProvider.tsx";
import { ReportPreview } from "../report/ReportPreview.tsx";

/** What is printed of a study: its report instead of the page. It is fetched each time, because corrections change it. */
export function PrintedReport({ result }: { result: StudyResult }) {
  const { language } = useTranslator();
  const [printing, setPrinting] = useState(false);
  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent) => {
      if (!(event.ctrlKey || event.metaKey) || event.shiftKey || event.key.toLowerCase() !== "p") return;
      event.preventDefault();
      setPrinting(true);
    };
    const onPrinted = () => setPrinting(false);
    addEventListener("keydown", onKeyDown);
    addEventListener("afterprint", onPrinted);
    return () => {
      removeEventListener("keydown", onKeyDown);
      removeEventListener("afterprint", onPrinted);
    };
  }, []);
  if (!printing) return null;
  return (
    <div className="printed" onLoad={() => print()}>
      <ReportPreview result={result} options={{ language, slices: [] }} />
    </div>
  );
}
