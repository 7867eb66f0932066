import { useState } from "react";
import { DropArea } from "../../components/DropArea.tsx";
import { ErrorBox } from "../../components/ErrorBox.tsx";
import { useTranslator } from "../../i18n/LanguageProvider.tsx";
import type { NamedFile } from "../../queue/items.ts";
import { useSession } from "../../session/SessionProvider.tsx";
import { sendStudy } from "../../studies/sendStudy.ts";

/** Everything that is dropped at once is one study. */
export function StudyDrop({ onSent }: { onSent(): Promise<void> }) {
  const translator = useTranslator();
  const { tokens } = useSession();
  const [progress, setProgress] = useState<number>();
  const [error, setError] = useState<unknown>();

  async function send(listed: Promise<NamedFile[]>): Promise<void> {
    const files = (await listed).map(({ file }) => file);
    if (files.length === 0) return;
    setError(undefined);
    setProgress(0);
    try {
      await sendStudy(files, tokens, setProgress);
      await onSent();
    } catch (reason) {
      setError(reason);
    } finally {
      setProgress(undefined);
    }
  }

  return (
    <>
      <DropArea prompt="dropStudy" chooseFiles="chooseStudyFiles" formats="studyFormats" onFiles={(files) => void send(files)}>
        {progress === undefined ? null : (
          <p role="status">
            <progress max={1} value={progress} aria-label={translator.text("state")} />{" "}
            {translator.text("sending", { percent: translator.percent(progress) })}
          </p>
        )}
      </DropArea>
      <ErrorBox error={error} />
    </>
  );
}
