import { useState } from "react";
import { useAccountOptions } from "../../components/useAccountOptions.ts";
import { useTranslator } from "../../i18n/LanguageProvider.tsx";
import { InvitationDialog } from "./InvitationDialog.tsx";

/** Offered where the server sends e-mail. */
export function Invitations({ onInvited }: { onInvited(): Promise<void> }) {
  const translator = useTranslator();
  const options = useAccountOptions();
  const [open, setOpen] = useState(false);
  const [invited, setInvited] = useState<string>();
  if (!options?.password_reset) return null;
  return (
    <div className="tools">
      <button type="button" onClick={() => setOpen(true)}>
        {translator.text("inviteUser")}
      </button>
      <span role="status">{invited === undefined ? null : translator.text("invitationOnItsWay", { email: invited })}</span>
      {open ? (
        <InvitationDialog
          onInvited={async (email) => {
            setOpen(false);
            setInvited(email);
            await onInvited();
          }}
          onClose={() => setOpen(false)}
        />
      ) : null}
    </div>
  );
}
