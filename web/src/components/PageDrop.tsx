/** Files can be dropped on every page. */
import { useEffect, useState } from "react";
import { droppedFiles } from "../files/dropped.ts";
import type { MessageKey } from "../i18n/en.ts";
import { useTranslator } from "../i18n/LanguageProvider.tsx";
import { useSession } from "../session/SessionProvider.tsx";
import { useIntake, type Intake } from "./useIntake.ts";

type State = "idle" | "over" | "reading";

const OUTCOMES = { study: "studyTaken", images: "imagesListed" } as const satisfies Record<Intake["kind"], MessageKey>;

/** Covers the page while files are dragged over it or read, and announces what became of them. */
export function PageDrop() {
  const translator = useTranslator();
  const { account } = useSession();
  const intake = useIntake();
  const [state, setState] = useState<State>("idle");
  const [taken, setTaken] = useState<Intake>();
  const signedIn = Boolean(account);
  useEffect(() => {
    const over = (event: DragEvent) => {
      if (!holdsFiles(event)) return;
      event.preventDefault();
      const refused = isDialogOpen();
      event.dataTransfer.dropEffect = refused || !signedIn ? "none" : "copy";
      setState(refused ? "idle" : "over");
    };
    const leave = (event: DragEvent) => {
      if (event.relatedTarget === null) setState("idle");
    };
    const drop = (event: DragEvent) => {
      if (!holdsFiles(event)) return;
      event.preventDefault(); // the browser would open the file instead of the page
      if (isDialogOpen() || !signedIn) {
        setState("idle");
        return;
      }
      setState("reading");
      void intake(droppedFiles(event.dataTransfer))
        .then(setTaken)
        .finally(() => setState("idle"));
    };
    const listeners = { dragenter: over, dragover: over, dragleave: leave, drop };
    for (const [name, listener] of Object.entries(listeners)) addEventListener(name, listener as EventListener);
    return () => {
      for (const [name, listener] of Object.entries(listeners)) removeEventListener(name, listener as EventListener);
    };
  }, [intake, signedIn]);
  const shown = { over: signedIn ? "dropAnywhere" : "dropSignedOut", reading: "readingFiles", idle: undefined } as const;
  const message = shown[state];
  return (
    <div role="status" className={message ? "drop-overlay" : "unseen"}>
      {message ? <p>{translator.text(message)}</p> : null}
      {taken && !message ? translator.text(OUTCOMES[taken.kind], { count: taken.count }) : null}
    </div>
  );
}

function holdsFiles(event: DragEvent): event is DragEvent & { dataTransfer: DataTransfer } {
  return event.dataTransfer?.types.includes("Files") ?? false;
}

/** What is behind a modal dialog cannot be used. */
function isDialogOpen(): boolean {
  return document.querySelector("dialog:modal") !== null;
}
