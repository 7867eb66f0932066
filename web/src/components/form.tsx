import { useId, useState, type FormEvent, type InputHTMLAttributes } from "react";
import { useTranslator } from "../i18n/LanguageProvider.tsx";
import { Options } from "./Options.tsx";

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

interface ChoiceProps<Value extends string> {
  label: string;
  value: Value | "";
  values: readonly Value[];
  text(value: NoInfer<Value>): string;
  onChange(value: NoInfer<Value> | ""): void;
}

/** Chooses one of the values, or all of them (""). */
export function Choice<Value extends string>({ label, value, values, text, onChange }: ChoiceProps<Value>) {
  const translator = useTranslator();
  return (
    <label>
      {label}
      <select value={value} onChange={(event) => onChange(event.target.value as Value | "")}>
        <option value="">{translator.text("all")}</option>
        <Options values={values} text={text} />
      </select>
    </label>
  );
}

interface DayFieldProps {
  label: string;
  /** YYYY-MM-DD; empty for none. */
  value: string;
  onChange(value: string): void;
}

/** Browsers write a date in the format of their own language, whatever `lang` says: the words next to it say which day it is. */
export function DayField({ label, value, onChange }: DayFieldProps) {
  const translator = useTranslator();
  const id = useId();
  const isDay = !Number.isNaN(Date.parse(`${value}T00:00`));
  return (
    <>
      <label>
        {label}
        <input type="date" value={value} aria-describedby={isDay ? id : undefined} onChange={(event) => onChange(event.target.value)} />
      </label>
      {isDay ? <span id={id}>{translator.date(value, "long")}</span> : null}
    </>
  );
}

/** Confirms an operation on credentials. */
export function PasswordField() {
  const translator = useTranslator();
  return <Field name="password" label={translator.text("password")} type="password" autoComplete="current-password" required />;
}

/** What `ConfirmationForm` adds to a form, as the API takes it. */
export function confirmationOf(field: (name: string) => string): { password: string; code?: string } {
  const code = field("code");
  return { password: field("password"), ...(code ? { code } : {}) };
}

/** Submits a form once at a time. action: gets a function that returns the value of a field by its name. */
export function useForm(action: (field: (name: string) => string) => Promise<void>) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  async function submit(form: HTMLFormElement): Promise<void> {
    const data = new FormData(form);
    setBusy(true);
    setError(undefined);
    try {
      await action((name) => String(data.get(name) ?? ""));
    } catch (reason) {
      setError(reason);
    } finally {
      setBusy(false);
    }
  }
  function onSubmit(event: FormEvent<HTMLFormElement>): void {
    event.preventDefault();
    void submit(event.currentTarget);
  }
  return { onSubmit, busy, error };
}
