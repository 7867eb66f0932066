import { useLayoutEffect, useState, type RefObject } from "react";
import { fittedView, type Size, type View } from "./geometry.ts";

/** The size of an element in CSS pixels; undefined before its first layout. */
export function useElementSize(element: RefObject<HTMLElement | null>): Size | undefined {
  const [size, setSize] = useState<Size>();
  useLayoutEffect(() => {
    const observed = element.current;
    if (observed === null) return;
    const observer = new ResizeObserver(() => setSize({ width: observed.clientWidth, height: observed.clientHeight }));
    observer.observe(observed);
    return () => observer.disconnect();
  }, [element]);
  return size;
}

/** Fits the image whenever the viewport or the image changes, and when there is no view. No frame shows an old view in a new viewport. */
export function useFit(image: Size, viewport: Size | undefined, view: View | undefined, onView: (view: View) => void): void {
  const { width, height } = image;
  useLayoutEffect(() => {
    if (viewport !== undefined) onView(fittedView({ width, height }, viewport));
  }, [viewport, width, height, onView]);
  const unset = view === undefined;
  useLayoutEffect(() => {
    if (unset && viewport !== undefined) onView(fittedView({ width, height }, viewport));
  }, [unset, viewport, width, height, onView]);
}
