/** Takes files and folders, dropped or chosen. */
import { useEffect, useRef, useState, type ChangeEvent, type DragEvent, type ReactNode } from "react";
import { chosenFiles, droppedFiles } from "../files/dropped.ts";
import type { MessageKey } from "../i18n/en.ts";
import { useTranslator } from "../i18n/LanguageProvider.tsx";
import type { NamedFile } from "../queue/items.ts";

interface DropAreaProps {
  prompt: MessageKey;
  chooseFiles: MessageKey;
  formats: MessageKey;
  onFiles(files: Promise<NamedFile[]>): void;
  children?: ReactNode;
}

export function DropArea({ prompt, chooseFiles, formats, onFiles, children }: DropAreaProps) {
  const translator = useTranslator();
  const [dragging, setDragging] = useState(false);
  function onDrop(event: DragEvent): void {
    event.preventDefault();
    setDragging(false);
    onFiles(droppedFiles(event.dataTransfer));
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
      <p>{translator.text(prompt)}</p>
      <div className="tools centred">
        <FileButton label={chooseFiles} onFiles={onFiles} />
        <FileButton label="chooseFolder" onFiles={onFiles} folder />
      </div>
      <p className="quiet">{translator.text(formats)}</p>
      {children}
    </div>
  );
}

interface FileButtonProps extends Pick<DropAreaProps, "onFiles"> {
  label: MessageKey;
  folder?: boolean;
}

function FileButton({ label, onFiles, folder = false }: FileButtonProps) {
  const translator = useTranslator();
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (input.current) input.current.webkitdirectory = folder;
  }, [folder]);
  function onChange(event: ChangeEvent<HTMLInputElement>): void {
    onFiles(Promise.resolve(chosenFiles(event.target.files ?? [])));
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
