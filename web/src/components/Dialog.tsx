import { useEffect, useId, useRef, type ReactNode } from "react";
import { useTranslator } from "../i18n/LanguageProvider.tsx";

interface DialogProps {
  title: string;
  onClose(): void;
  children: ReactNode;
}

/** Modal; Escape closes it, and the focus returns to where it was. */
export function Dialog({ title, onClose, children }: DialogProps) {
  const translator = useTranslator();
  const dialog = useRef<HTMLDialogElement>(null);
  const heading = useId();
  useEffect(() => {
    const opened = dialog.current;
    opened?.showModal();
    return () => opened?.close();
  }, []);
  return (
    <dialog ref={dialog} aria-labelledby={heading} onCancel={onClose}>
      <h2 id={heading}>{title}</h2>
      {children}
      <button type="button" onClick={onClose}>
        {translator.text("close")}
      </button>
    </dialog>
  );
}
