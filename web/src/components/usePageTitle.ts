import { useEffect } from "react";

/** The document's title while the component is shown. */
export function usePageTitle(title: string): void {
  useEffect(() => {
    document.title = `${title} · Hepar`;
    return () => {
      document.title = "Hepar";
    };
  }, [title]);
}
