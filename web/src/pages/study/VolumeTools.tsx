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

export interface Shown {
  boxes: boolean;
  axes: boolean;
  masks: boolean;
}

interface VolumeToolsProps {
  settings: DisplaySettings;
  onSettings(settings: DisplaySettings): void;
  shown: Shown;
  onShown(shown: Shown): void;
  onFit(): void;
}

export function VolumeTools({ settings, onSettings, shown, onShown, onFit }: VolumeToolsProps) {
  const translator = useTranslator();
  return (
    <>
      <div className="tools" role="group" aria-label={translator.text("window")}>
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
      <div className="tools">
        <DisplayTools settings={settings} hounsfield pairs={false} onChange={onSettings} onFit={onFit} />
        {(["boxes", "axes", "masks"] as const).map((layer) => (
          <label key={layer}>
            <input type="checkbox" checked={shown[layer]} onChange={(event) => onShown({ ...shown, [layer]: event.target.checked })} />
            {translator.text(layer)}
          </label>
        ))}
      </div>
    </>
  );
}
