import { useState } from "react";
import { useTranslator } from "../../i18n/LanguageProvider.tsx";
import type { QueueItem } from "../../queue/items.ts";
import type { UploadQueue } from "../../queue/UploadQueue.ts";

interface FrameRangeProps {
  seriesId: string;
  frames: readonly QueueItem[];
  queue: UploadQueue;
}

/** Which frames are analysed; all unless the user narrows the range before the analysis. */
export function FrameRange({ seriesId, frames, queue }: FrameRangeProps) {
  const translator = useTranslator();
  const count = frames.length;
  const [first, setFirst] = useState(1);
  const [last, setLast] = useState(count);
  const started = frames.some((item) => item.state !== "waiting" && item.state !== "excluded");
  function select(from: number, to: number): void {
    setFirst(from);
    setLast(to);
    queue.selectFrames(seriesId, from - 1, to - 1);
  }
  const name = frames[0]?.name ?? "";
  return (
    <div className="tools">
      <label>
        {translator.text("firstFrame")}
        <FrameNumber value={first} min={1} max={last} disabled={started} name={name} onChange={(from) => select(from, last)} />
      </label>
      <label>
        {translator.text("lastFrame")}
        <FrameNumber value={last} min={first} max={count} disabled={started} name={name} onChange={(to) => select(first, to)} />
      </label>
    </div>
  );
}

interface FrameNumberProps {
  value: number;
  min: number;
  max: number;
  disabled: boolean;
  name: string;
  onChange(value: number): void;
}

function FrameNumber({ value, min, max, disabled, name, onChange }: FrameNumberProps) {
  return (
    <input
      type="number"
      title={name}
      value={value}
      min={min}
      max={max}
      disabled={disabled}
      onChange={(event) => {
        const number = event.target.valueAsNumber;
        if (Number.isInteger(number)) onChange(Math.min(max, Math.max(min, number)));
      }}
    />
  );
}
