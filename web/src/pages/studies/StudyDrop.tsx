import { useEffect, useState } from "react";
import { DropArea } from "../../components/DropArea.tsx";
import { ErrorBox } from "../../components/ErrorBox.tsx";
import { useTranslator } from "../../i18n/LanguageProvider.tsx";
import { useSession } from "../../session/SessionProvider.tsx";
import { useSenderState } from "../../studies/StudySender.ts";

/** Everything that is dropped at once is one study. onSent: called when one was taken. */
export function StudyDrop({ onSent }: { onSent(): Promise<void> }) {
  const translator = useTranslator();
  const { sender } = useSession();
  const { progress, error, sent } = useSenderState(sender);
  const [known, setKnown] = useState(sent);
  const [announced, setAnnounced] = useState(false);
  useEffect(() => {
    if (sent === known) return;
    setKnown(sent);
    setAnnounced(true);
    void onSent();
  }, [sent, known, onSent]);
  return (
    <>
      <DropArea prompt="dropStudy" chooseFiles="chooseStudyFiles" formats="studyFormats">
        {progress === undefined ? null : (
          <div className="quiet">
            <progress max={1} value={progress} aria-label={translator.text("state")} />
            {translator.text("sending", { percent: translator.percent(progress) })}
          </div>
        )}
        <div role="status">{progress === undefined && announced && error === undefined ? translator.text("studySent") : null}</div>
      </DropArea>
      <ErrorBox error={error} />
    </>
  );
}
