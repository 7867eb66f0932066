/** Choose images, analyse them, see what became of each. */
import { useEffect } from "react";
import { DropArea } from "../components/DropArea.tsx";
import { usePageTitle } from "../components/usePageTitle.ts";
import { chosenFiles } from "../files/dropped.ts";
import { useTranslator } from "../i18n/LanguageProvider.tsx";
import { useQueueItems } from "../queue/UploadQueue.ts";
import { useSession } from "../session/SessionProvider.tsx";
import { FirstSteps } from "./studies/SampleStudy.tsx";
import { QueueList } from "./upload/QueueList.tsx";

export default function UploadPage() {
  const translator = useTranslator();
  const { queue } = useSession();
  const items = useQueueItems(queue);
  usePageTitle(translator.text("upload"));
  useEffect(() => {
    const onPaste = (event: ClipboardEvent) => queue.add(chosenFiles(event.clipboardData?.files ?? []));
    document.addEventListener("paste", onPaste);
    return () => document.removeEventListener("paste", onPaste);
  }, [queue]);
  return (
    <section>
      <h1>{translator.text("upload")}</h1>
      <DropArea prompt="drop" chooseFiles="chooseFiles" formats="formats" />
      {items.length > 0 ? <QueueList items={items} queue={queue} /> : <FirstSteps />}
    </section>
  );
}
