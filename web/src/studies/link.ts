/** Two volumes that are scrolled together: the same distance in millimetres, from two slices that belong together. */
import type { Position } from "./Position.ts";

/** Slices of both volumes at the same place of the patient, which may lie between two. */
export interface Anchor {
  one: number;
  other: number;
}

/** spacing: between slices, in millimetres. */
export interface Stack {
  position: Position;
  spacing_mm: number;
}

/** Returns what ends it. */
export function link(one: Stack, other: Stack, anchor: Anchor): () => void {
  let following = false;
  const follow = (leader: Stack, follower: Stack, from: number, to: number) => () => {
    if (following) return;
    following = true;
    const distance_mm = (leader.position.current().slice - from) * leader.spacing_mm;
    follower.position.move({ slice: to + distance_mm / follower.spacing_mm });
    following = false;
  };
  const toOther = follow(one, other, anchor.one, anchor.other);
  const ends = [one.position.subscribe(toOther), other.position.subscribe(follow(other, one, anchor.other, anchor.one))];
  toOther();
  return () => ends.forEach((end) => end());
}
