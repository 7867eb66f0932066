import type { Window } from "../files/picture.ts";

/** How the image is displayed. */
export interface DisplaySettings {
  window: Window;
  inverted: boolean;
  ruler: boolean;
  sideBySide: boolean;
}
