import { Field } from "../../components/form.tsx";
import { useTranslator } from "../../i18n/LanguageProvider.tsx";

/** name: of the group that the account has. */
export function GroupField({ name }: { name?: string | null | undefined }) {
  const translator = useTranslator();
  return (
    <Field
      name="group"
      label={translator.text("group")}
      hint={translator.text("groupHint")}
      defaultValue={name ?? ""}
      pattern="[A-Za-z0-9][A-Za-z0-9._\-]*"
      maxLength={64}
    />
  );
}
