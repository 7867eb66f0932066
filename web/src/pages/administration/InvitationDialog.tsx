import { throwOnError, type Account } from "../../api.ts";
import { ConfirmationForm } from "../../components/ConfirmationForm.tsx";
import { Dialog } from "../../components/Dialog.tsx";
import { confirmationOf, Field, useForm } from "../../components/form.tsx";
import { Options } from "../../components/Options.tsx";
import { useTranslator } from "../../i18n/LanguageProvider.tsx";
import { useSession } from "../../session/SessionProvider.tsx";
import { GroupField } from "./GroupField.tsx";
import { ROLES } from "./roles.ts";

interface InvitationDialogProps {
  onInvited(email: string): Promise<void>;
  onClose(): void;
}

/** Makes an account for somebody, who gets a link by e-mail. The administrator confirms with the own password and code. */
export function InvitationDialog({ onInvited, onClose }: InvitationDialogProps) {
  const translator = useTranslator();
  const { hepar } = useSession();
  const form = useForm(async (field) => {
    const email = field("email");
    const body = { email, role: field("role") as Account["role"], group: field("group") || null, ...confirmationOf(field) };
    throwOnError(await hepar.POST("/v1/invitations", { body }));
    await onInvited(email);
  });
  return (
    <Dialog title={translator.text("inviteUser")} onClose={onClose}>
      <ConfirmationForm form={form} onClose={onClose}>
        <p>{translator.text("inviteUserHint")}</p>
        <Field name="email" type="email" label={translator.text("email")} maxLength={254} autoComplete="off" required />
        <div className="field">
          <label htmlFor="invitation-role">{translator.text("role")}</label>
          <select id="invitation-role" name="role">
            <Options values={ROLES} text={(role) => translator.term(role)} />
          </select>
        </div>
        <GroupField />
      </ConfirmationForm>
    </Dialog>
  );
}
