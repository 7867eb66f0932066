import type { ReactNode } from "react";
import { Navigate, useLocation } from "react-router";
import { useTranslator } from "../i18n/LanguageProvider.tsx";
import { useSession } from "../session/SessionProvider.tsx";

/**
 * Others are sent to the sign-in page and come back, unless they signed out: the next user does not return to their page.
 * The key discards what the previous account had loaded.
 */
export function RequireAccount({ children }: { children: ReactNode }) {
  const translator = useTranslator();
  const { account, signOutReason } = useSession();
  const { pathname } = useLocation();
  if (account === undefined) return <p role="status">{translator.text("loading")}</p>;
  if (account === null) {
    const returns = signOutReason === undefined || signOutReason === "sessionEnded";
    return <Navigate to="/sign-in" replace state={returns ? { returnTo: pathname } : null} />;
  }
  return <div key={account.id}>{children}</div>;
}
