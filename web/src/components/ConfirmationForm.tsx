import type { ReactNode } from "react";
import { useTranslator } from "../i18n/LanguageProvider.tsx";
import { useSession } from "../session/SessionProvider.tsx";
import { DialogActions } from "./Dialog.tsx";
import { ErrorBox } from "./ErrorBox.tsx";
import { Field, PasswordField, type useForm } from "./form.tsx";

interface ConfirmationFormProps {
  form: ReturnType<typeof useForm>;
  children: ReactNode;
  /** Of the dialog around it. */
  onClose(): void;
}

/** Confirmed by the administrator's own password, and by the code where there is a second factor. */
export function ConfirmationForm({ form: { onSubmit, busy, error }, children, onClose }: ConfirmationFormProps) {
  const translator = useTranslator();
  const { account } = useSession();
  return (
    <form onSubmit={onSubmit}>
      {children}
      <PasswordField />
      {account?.second_factor ? <Field name="code" label={translator.text("code")} autoComplete="one-time-code" required /> : null}
      <ErrorBox error={error} />
      <DialogActions onClose={onClose}>
        <button className="primary" disabled={busy}>
          {translator.text("confirm")}
        </button>
      </DialogActions>
    </form>
  );
}
