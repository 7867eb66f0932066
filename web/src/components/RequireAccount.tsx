import type { ReactNode } from "react";
import { Navigate, useLocation } from "react-router";
import { useTranslator } from "../i18n/LanguageProvider.tsx";
import { useSession } from "../session/SessionProvider.tsx";

/** Others are sent to the sign-in page and come back. The key discards what the previous account had loaded. */
export function RequireAccount({ children }: { children: ReactNode }) {
  const translator = useTranslator();
  const { account } = useSession();
  const { pathname } = useLocation();
  if (account === undefined) return <p role="status">{translator.text("loading")}</p>;
  if (account === null) return <Navigate to="/sign-in" replace state={{ returnTo: pathname }} />;
  return <div key={account.id}>{children}</div>;
}
