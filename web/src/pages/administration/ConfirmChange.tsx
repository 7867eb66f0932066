import { throwOnError, type Account, type HeparClient } from "../../api.ts";
import { ConfirmationForm } from "../../components/ConfirmationForm.tsx";
import { Dialog } from "../../components/Dialog.tsx";
import { confirmationOf, useForm } from "../../components/form.tsx";
import { useTranslator } from "../../i18n/LanguageProvider.tsx";
import type { MessageKey } from "../../i18n/en.ts";
import { useSession } from "../../session/SessionProvider.tsx";
import { GroupField } from "./GroupField.tsx";

/** A change of somebody else's account that gives rights or cannot be undone. */
export type AccountChange =
  | { kind: "role"; account: Account; role: Account["role"] }
  | { kind: "group" | "secondFactor" | "deletion"; account: Account };

const TEXTS: Record<AccountChange["kind"], readonly [title: MessageKey, hint: MessageKey]> = {
  role: ["changeRole", "changeRoleHint"],
  group: ["changeGroup", "changeGroupHint"],
  secondFactor: ["resetSecondFactor", "resetSecondFactorHint"],
  deletion: ["deleteAccount", "deleteAccountHint"],
};

interface ConfirmChangeProps {
  change: AccountChange;
  onConfirmed(): Promise<void>;
  onClose(): void;
}

/** The administrator confirms with the own password and code. */
export function ConfirmChange({ change, onConfirmed, onClose }: ConfirmChangeProps) {
  const translator = useTranslator();
  const { hepar } = useSession();
  const form = useForm(async (field) => {
    await send(hepar, change, confirmationOf(field), field("group"));
    await onConfirmed();
  });
  const [title, hint] = TEXTS[change.kind];
  const role = change.kind === "role" ? translator.term(change.role) : "";
  return (
    <Dialog title={translator.text(title)} onClose={onClose}>
      <ConfirmationForm form={form} onClose={onClose}>
        <p>{translator.text(hint, { email: change.account.email, role })}</p>
        {change.kind === "group" ? <GroupField name={change.account.group} /> : null}
      </ConfirmationForm>
    </Dialog>
  );
}

async function send(hepar: HeparClient, change: AccountChange, form: { password: string; code?: string }, group: string): Promise<void> {
  const params = { path: { account_id: change.account.id } };
  if (change.kind === "role") throwOnError(await hepar.PUT("/v1/users/{account_id}/role", { params, body: { ...form, role: change.role } }));
  else if (change.kind === "group") throwOnError(await hepar.PUT("/v1/users/{account_id}/group", { params, body: { ...form, group: group || null } }));
  else if (change.kind === "secondFactor") throwOnError(await hepar.DELETE("/v1/users/{account_id}/second-factor", { params, body: form }));
  else throwOnError(await hepar.DELETE("/v1/users/{account_id}", { params, body: form }));
}
