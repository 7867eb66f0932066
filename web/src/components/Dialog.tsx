import { useEffect, useId, useRef, type ReactNode } from "react";
import { useTranslator } from "../i18n/LanguageProvider.tsx";

interface DialogProps {
  title: string;
  onClose(): void;
  /** They end with `DialogActions`. */
  children: ReactNode;
  /** For pictures. */
  wide?: boolean;
}

/** Modal; Escape closes it, and the focus returns to where it was. */
export function Dialog({ title, onClose, children, wide = false }: DialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const heading = useId();
  useEffect(() => {
    const opened = dialog.current;
    opened?.showModal();
    return () => opened?.close();
  }, []);
  return (
    <dialog ref={dialog} className={wide ? "with-pictures" : undefined} aria-labelledby={heading} onCancel={onClose}>
      <h2 id={heading}>{title}</h2>
      {children}
    </dialog>
  );
}

/** What can be done with a dialog, and the way out, in one row. children: the button that confirms. */
export function DialogActions({ onClose, children }: { onClose(): void; children: ReactNode }) {
  const translator = useTranslator();
  return (
    <div className="tools dialog-actions">
      {children}
      <button type="button" onClick={onClose}>
        {translator.text("cancel")}
      </button>
    </div>
  );
}
