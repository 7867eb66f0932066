import { useEffect, useRef } from "react";
import { useLocation, useNavigationType } from "react-router";

/** A page that is opened by a link starts at its top, and the focus moves to it. Back and forward keep their position. */
export function useStartAtTop(elementId: string): void {
  const { pathname } = useLocation();
  const navigation = useNavigationType();
  const previous = useRef(pathname);
  useEffect(() => {
    if (previous.current === pathname) return;
    previous.current = pathname;
    if (navigation === "POP") return;
    scrollTo(0, 0);
    document.getElementById(elementId)?.focus({ preventScroll: true });
  }, [pathname, navigation, elementId]);
}
