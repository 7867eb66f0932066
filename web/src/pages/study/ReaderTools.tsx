import type { Window } from "../../files/picture.ts";
import type { MessageKey } from "../../i18n/en.ts";
import { useTranslator } from "../../i18n/LanguageProvider.tsx";
import { LIVER_WINDOW } from "../../studies/SliceStore.ts";
import type { DisplaySettings } from "../../viewer/display.ts";
import { DisplayTools } from "../result/ViewerTools.tsx";

const PRESETS: readonly (readonly [MessageKey, Window])[] = [
  ["windowLiver", LIVER_WINDOW],
  ["windowSoftTissue", { width: 400, centre: 40 }],
  ["windowNarrow", { width: 150, centre: 90 }],
  ["windowLung", { width: 1500, centre: -600 }],
  ["windowBone", { width: 1800, centre: 400 }],
];
const TOOLS = ["ruler", "crosshair"] as const;

/** One axial plane, all three planes, or two axial planes side by side. */
export type Layout = "one" | "planes" | "compare";
export const LAYOUTS = { one: "layoutOne", planes: "layoutPlanes", compare: "layoutCompare" } as const satisfies Record<Layout, MessageKey>;

interface ReaderToolsProps {
  settings: DisplaySettings;
  onSettings(settings: DisplaySettings): void;
  layout: Layout;
  /** Other planes need the whole volume. */
  planes: boolean;
  onLayout(layout: Layout): void;
  full: boolean;
  onFull(full: boolean): void;
  onFit(): void;
}

export function ReaderTools({ settings, onSettings, layout, planes, onLayout, full, onFull, onFit }: ReaderToolsProps) {
  const translator = useTranslator();
  return (
    <div className="tools">
      <select aria-label={translator.text("layout")} value={layout} onChange={(event) => onLayout(event.target.value as Layout)}>
        {(Object.keys(LAYOUTS) as Layout[]).map((name) => (
          <option key={name} value={name} disabled={name === "planes" && !planes}>
            {translator.text(LAYOUTS[name])}
          </option>
        ))}
      </select>
      <button type="button" aria-pressed={full} onClick={() => onFull(!full)}>
        {translator.text("fullScreen")}
      </button>
      <div className="presets" role="group" aria-label={translator.text("window")}>
        {PRESETS.map(([key, window]) => (
          <button
            type="button"
            key={key}
            aria-pressed={window.width === settings.window.width && window.centre === settings.window.centre}
            onClick={() => onSettings({ ...settings, window })}
          >
            {translator.text(key)}
          </button>
        ))}
      </div>
      <DisplayTools settings={settings} hounsfield pairs={false} tools={TOOLS} onChange={onSettings} onFit={onFit} />
    </div>
  );
}
