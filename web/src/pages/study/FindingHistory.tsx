import type { Finding } from "../../api.ts";
import { useTranslator } from "../../i18n/LanguageProvider.tsx";
import { useSession } from "../../session/SessionProvider.tsx";

/** Who did what and when, oldest first. */
export function FindingHistory({ history }: Pick<Finding, "history">) {
  const translator = useTranslator();
  const { account } = useSession();
  if (history.length === 0) return null;
  return (
    <details className="quiet">
      <summary>{translator.text("history", { count: history.length })}</summary>
      <ol>
        {history.map(({ number, at, author, author_role, action, label, comment, undone }) => (
          <li key={number}>
            {translator.text("historyEntry", {
              time: translator.dateTime(at),
              author: author === account?.id ? translator.text("you") : translator.term(author_role),
              action: translator.term(`action_${action}`),
            })}
            {action === "retype" ? ` (${label === null ? translator.text("undecided") : translator.term(label)})` : ""}
            {comment === null ? "" : `: ${comment}`}
            {undone ? ` (${translator.text("undone")})` : ""}
          </li>
        ))}
      </ol>
    </details>
  );
}
