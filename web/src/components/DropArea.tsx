/** Says what can be dropped on the page, and chooses files and folders without a mouse. */
import { useEffect, useRef, type ChangeEvent, type ReactNode } from "react";
import { chosenFiles } from "../files/dropped.ts";
import type { MessageKey } from "../i18n/en.ts";
import { useTranslator } from "../i18n/LanguageProvider.tsx";
import { useIntake } from "./useIntake.ts";

interface DropAreaProps {
  prompt: MessageKey;
  chooseFiles: MessageKey;
  formats: MessageKey;
  children?: ReactNode;
}

export function DropArea({ prompt, chooseFiles, formats, children }: DropAreaProps) {
  const translator = useTranslator();
  return (
    <div className="drop">
      <p>{translator.text(prompt)}</p>
      <div className="tools centred">
        <FileButton label={chooseFiles} />
        <FileButton label="chooseFolder" folder />
      </div>
      <p className="quiet">{translator.text(formats)}</p>
      {children}
    </div>
  );
}

interface FileButtonProps {
  label: MessageKey;
  folder?: boolean;
}

function FileButton({ label, folder = false }: FileButtonProps) {
  const translator = useTranslator();
  const intake = useIntake();
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (input.current) input.current.webkitdirectory = folder;
  }, [folder]);
  function onChange(event: ChangeEvent<HTMLInputElement>): void {
    void intake(Promise.resolve(chosenFiles(event.target.files ?? [])));
    // Otherwise choosing the same file again would not be reported.
    event.target.value = "";
  }
  return (
    <>
      <button type="button" onClick={() => input.current?.click()}>
        {translator.text(label)}
      </button>
      <input ref={input} type="file" multiple onChange={onChange} hidden />
    </>
  );
}
