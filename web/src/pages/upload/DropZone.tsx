import { useEffect, useRef, useState, type ChangeEvent, type DragEvent } from "react";
import { chosenFiles, droppedFiles } from "../../files/dropped.ts";
import { useTranslator } from "../../i18n/LanguageProvider.tsx";
import type { MessageKey } from "../../i18n/en.ts";
import type { UploadQueue } from "../../queue/UploadQueue.ts";

interface DropZoneProps {
  queue: UploadQueue;
}

export function DropZone({ queue }: DropZoneProps) {
  const translator = useTranslator();
  const [dragging, setDragging] = useState(false);
  function onDrop(event: DragEvent): void {
    event.preventDefault();
    setDragging(false);
    void queue.addListed(droppedFiles(event.dataTransfer));
  }
  return (
    <div
      className={dragging ? "drop over" : "drop"}
      onDragOver={(event) => {
        event.preventDefault();
        setDragging(true);
      }}
      onDragLeave={() => setDragging(false)}
      onDrop={onDrop}
    >
      <p>{translator.text("drop")}</p>
      <div className="tools centred">
        <FileButton label="chooseFiles" queue={queue} />
        <FileButton label="chooseFolder" queue={queue} folder />
      </div>
      <p className="quiet">{translator.text("formats")}</p>
    </div>
  );
}

interface FileButtonProps extends DropZoneProps {
  label: MessageKey;
  folder?: boolean;
}

function FileButton({ label, queue, folder = false }: FileButtonProps) {
  const translator = useTranslator();
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (input.current) input.current.webkitdirectory = folder;
  }, [folder]);
  function onChange(event: ChangeEvent<HTMLInputElement>): void {
    queue.add(chosenFiles(event.target.files ?? []));
    // Otherwise choosing the same file again would not be reported.
    event.target.value = "";
  }
  return (
    <>
      <button type="button" onClick={() => input.current?.click()}>
        {translator.text(label)}
      </button>
      <input
        ref={input}
        className="unseen"
        type="file"
        multiple
        onChange={onChange}
        aria-label={translator.text(label)}
        tabIndex={-1}
      />
    </>
  );
}
