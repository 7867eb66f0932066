import { Link, useNavigate } from "react-router";
import { useTranslator } from "../../i18n/LanguageProvider.tsx";
import type { QueueItem } from "../../queue/items.ts";
import { summaryOf } from "../../queue/rows.ts";

interface FrameNavigationProps {
  current: QueueItem;
  series: readonly QueueItem[];
}

/** Moves between the analysed frames of a file. */
export function FrameNavigation({ current, series }: FrameNavigationProps) {
  const translator = useTranslator();
  const navigate = useNavigate();
  const done = series.filter((item) => item.analysis !== undefined);
  const position = done.findIndex((item) => item.id === current.id);
  const optionText = (item: QueueItem) =>
    `${(item.frame?.index ?? 0) + 1}: ${translator.term(summaryOf(item).decision ?? item.state)}`;
  return (
    <nav className="tools" aria-label={translator.text("frame")}>
      <FrameLink item={done[position - 1]} text={translator.text("previousFrame")} />
      <label>
        {translator.text("frame")}
        <select value={current.id} onChange={(event) => void navigate(`/results/${event.target.value}`, { replace: true })}>
          {done.map((item) => (
            <option key={item.id} value={item.id}>
              {optionText(item)}
            </option>
          ))}
        </select>
      </label>
      <FrameLink item={done[position + 1]} text={translator.text("nextFrame")} />
    </nav>
  );
}

function FrameLink({ item, text }: { item: QueueItem | undefined; text: string }) {
  if (item === undefined) return null;
  return (
    <Link className="button" to={`/results/${item.id}`} replace>
      {text}
    </Link>
  );
}
