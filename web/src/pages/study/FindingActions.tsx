/** What a reader can do with a finding. Keys work inside of its card. */
import { useRef, useState, type FormEvent, type RefObject } from "react";
import type { CorrectionForm, Finding } from "../../api.ts";
import { Options } from "../../components/Options.tsx";
import { useTranslator } from "../../i18n/LanguageProvider.tsx";
import type { Change } from "../../studies/useFindings.ts";

type ReaderLabel = NonNullable<CorrectionForm["label"]>;

const TYPES = ["metastasis", "cholangiocarcinoma", "hepatocellular_carcinoma", "haemangioma", "cyst", "other"] as const satisfies readonly ReaderLabel[];
const COMMENT_LENGTH_MAX = 2000;

interface FindingActionsProps {
  finding: Finding;
  type: RefObject<HTMLSelectElement | null>;
  commenting: boolean;
  onCommenting(open: boolean): void;
  onOutline(): void;
  onCorrect(change: Change): Promise<boolean>;
}

export function FindingActions({ finding, type, commenting, onCommenting, onOutline, onCorrect }: FindingActionsProps) {
  const translator = useTranslator();
  const { status, label, history } = finding;
  const judge = (action: "accept" | "reject") => () => void onCorrect({ action });
  return (
    <>
      <div className="tools">
        <button type="button" aria-pressed={status === "accepted"} aria-keyshortcuts="A" onClick={judge("accept")}>
          {translator.text("accept")}
        </button>
        <button type="button" aria-pressed={status === "rejected"} aria-keyshortcuts="X" onClick={judge("reject")}>
          {translator.text("reject")}
        </button>
        <button type="button" aria-keyshortcuts="O" onClick={onOutline}>
          {translator.text("correctOutline")}
        </button>
        <button type="button" aria-expanded={commenting} aria-keyshortcuts="C" onClick={() => onCommenting(!commenting)}>
          {translator.text("comment")}
        </button>
        {history.some(({ action, undone }) => action !== "undo" && !undone) ? (
          <button type="button" aria-keyshortcuts="U" onClick={() => void onCorrect({ action: "undo" })}>
            {translator.text("undo")}
          </button>
        ) : null}
        <label>
          {translator.text("changeType")}
          <select
            ref={type}
            aria-keyshortcuts="T"
            value={label ?? ""}
            onChange={({ target }) => void onCorrect({ action: "retype", label: target.value === "" ? null : (target.value as ReaderLabel) })}
          >
            <option value="">{translator.text("undecided")}</option>
            <Options values={TYPES} text={(name) => translator.term(name)} />
          </select>
        </label>
      </div>
      {commenting ? <CommentForm onClose={() => onCommenting(false)} onCorrect={onCorrect} /> : null}
    </>
  );
}

function CommentForm({ onClose, onCorrect }: { onClose(): void; onCorrect: FindingActionsProps["onCorrect"] }) {
  const translator = useTranslator();
  const [text, setText] = useState("");
  const field = useRef<HTMLTextAreaElement>(null);
  async function save(event: FormEvent): Promise<void> {
    event.preventDefault();
    if (!text.trim()) field.current?.focus();
    else if (await onCorrect({ action: "comment", comment: text.trim() })) onClose();
  }
  return (
    <form className="comment" onSubmit={(event) => void save(event)}>
      <label>
        {translator.text("comment")}
        <textarea ref={field} autoFocus rows={2} maxLength={COMMENT_LENGTH_MAX} value={text} onChange={({ target }) => setText(target.value)} />
      </label>
      <button type="submit">{translator.text("saveComment")}</button>
      <button type="button" onClick={onClose}>
        {translator.text("cancel")}
      </button>
    </form>
  );
}
