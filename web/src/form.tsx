import { useId, useState, type FormEvent, type InputHTMLAttributes } from "react";
import { useSay } from "./i18n.tsx";
import { troubleOf, type Trouble } from "./problems.tsx";

interface FieldProps extends InputHTMLAttributes<HTMLInputElement> {
  label: string;
  hint?: string;
}

export function Field({ label, hint, ...input }: FieldProps) {
  const id = useId();
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <input id={id} aria-describedby={hint ? `${id}-hint` : undefined} {...input} />
      {hint ? (
        <p id={`${id}-hint`} className="quiet">
          {hint}
        </p>
      ) : null}
    </div>
  );
}

/** What a form does with its fields: once at a time, its trouble kept to be shown. */
export function useForm(work: (value: (name: string) => string) => Promise<void>) {
  const say = useSay();
  const [busy, setBusy] = useState(false);
  const [trouble, setTrouble] = useState<Trouble>();
  async function submit(event: FormEvent<HTMLFormElement>): Promise<void> {
    event.preventDefault();
    const data = new FormData(event.currentTarget);
    setBusy(true);
    setTrouble(undefined);
    try {
      await work((name) => String(data.get(name) ?? ""));
    } catch (error) {
      setTrouble(troubleOf(error, say));
    } finally {
      setBusy(false);
    }
  }
  return { submit, busy, trouble };
}
