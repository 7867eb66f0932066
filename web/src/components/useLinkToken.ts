import { useState } from "react";

/** The token of the link that led here. It is removed from the address bar, so that it stays in no history. */
export function useLinkToken(): string {
  const [token] = useState(() => {
    const fragment = window.location.hash.slice(1);
    if (fragment) window.history.replaceState(window.history.state, "", window.location.pathname);
    return fragment;
  });
  return token;
}
