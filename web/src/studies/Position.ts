/** The voxel that all planes of a volume show. Outside of React's state: only what shows it is rendered when it moves. */
import { useCallback, useSyncExternalStore } from "react";
import { clamped, type Voxel, type VolumeShape } from "../viewer/planes.ts";
import { Subscribers } from "./Subscribers.ts";

export class Position {
  private readonly subscribers = new Subscribers();
  readonly subscribe = this.subscribers.subscribe;

  constructor(
    readonly shape: VolumeShape,
    private voxel: Voxel,
  ) {
    this.voxel = clamped(voxel, shape);
  }

  readonly current = (): Voxel => this.voxel;

  /** Stays in the volume. */
  move(changes: Partial<Voxel>): void {
    const { column, row, slice } = clamped({ ...this.voxel, ...changes }, this.shape);
    if (column === this.voxel.column && row === this.voxel.row && slice === this.voxel.slice) return;
    this.voxel = { column, row, slice };
    this.subscribers.tell();
  }
}

export function useVoxel(position: Position): Voxel {
  return useSyncExternalStore(position.subscribe, position.current);
}

/** A value that follows from the position: the component is rendered when the value changes, not at each move. */
export function useFromVoxel<Value extends number | string | boolean>(position: Position, valueOf: (voxel: Voxel) => Value): Value {
  return useSyncExternalStore(
    position.subscribe,
    useCallback(() => valueOf(position.current()), [position, valueOf]),
  );
}
