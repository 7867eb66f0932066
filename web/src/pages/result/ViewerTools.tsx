import { Options } from "../../components/Options.tsx";
import { Slider } from "../../components/Slider.tsx";
import type { Window } from "../../files/picture.ts";
import { useTranslator } from "../../i18n/LanguageProvider.tsx";
import { modelName } from "../../modelName.ts";
import type { DisplaySettings } from "../../viewer/display.ts";
import { ENSEMBLE } from "./useActivationMaps.ts";

/** What is drawn over the image. */
export interface OverlaySettings {
  /** Minimum score of a box. */
  threshold: number;
  /** Empty for none. */
  map: string;
  opacity: number;
}

const HU_LIMITS = { width: 2000, centreMin: -500, centreMax: 1000 };
const GREY_LIMITS = { width: 510, centreMin: 0, centreMax: 255 };

interface DisplayToolsProps {
  settings: DisplaySettings;
  hounsfield: boolean;
  onChange(settings: DisplaySettings): void;
  onFit(): void;
  /** Whether the image can be shown twice. */
  pairs?: boolean;
  /** Besides moving the image. */
  tools?: readonly ("ruler" | "crosshair")[];
}

const RULER = ["ruler"] as const;

export function DisplayTools({ settings, hounsfield, onChange, onFit, pairs = true, tools = RULER }: DisplayToolsProps) {
  const translator = useTranslator();
  const { window } = settings;
  const limits = hounsfield ? HU_LIMITS : GREY_LIMITS;
  const toggle = (key: "inverted" | "sideBySide") => onChange({ ...settings, [key]: !settings[key] });
  const setWindow = (changes: Partial<Window>) => onChange({ ...settings, window: { ...window, ...changes } });
  function toggleSideBySide(): void {
    toggle("sideBySide");
    onFit();
  }
  return (
    <>
      <button type="button" onClick={onFit}>
        {translator.text("fit")}
      </button>
      <Toggle label={translator.text("invert")} pressed={settings.inverted} onClick={() => toggle("inverted")} />
      {tools.map((tool) => (
        <Toggle
          key={tool}
          label={translator.text(tool)}
          pressed={settings.tool === tool}
          onClick={() => onChange({ ...settings, tool: settings.tool === tool ? "move" : tool })}
        />
      ))}
      {pairs ? <Toggle label={translator.text("sideBySide")} pressed={settings.sideBySide} onClick={toggleSideBySide} /> : null}
      <div className="sliders">
        <Slider
          label={translator.text("windowWidth")}
          value={window.width}
          min={1}
          max={limits.width}
          step={1}
          onChange={(width) => setWindow({ width })}
        />
        <Slider
          label={translator.text("windowCentre")}
          value={window.centre}
          min={limits.centreMin}
          max={limits.centreMax}
          step={1}
          onChange={(centre) => setWindow({ centre })}
        />
      </div>
    </>
  );
}

function Toggle({ label, pressed, onClick }: { label: string; pressed: boolean; onClick(): void }) {
  return (
    <button type="button" aria-pressed={pressed} onClick={onClick}>
      {label}
    </button>
  );
}

interface OverlayToolsProps {
  settings: OverlaySettings;
  /** Whether there are any. */
  boxes: boolean;
  /** Names of the available activation maps. */
  maps: readonly string[];
  onChange(settings: OverlaySettings): void;
}

export function OverlayTools({ settings, boxes, maps, onChange }: OverlayToolsProps) {
  const translator = useTranslator();
  const change = (changes: Partial<OverlaySettings>) => onChange({ ...settings, ...changes });
  const threshold = (
    <Slider
      label={translator.text("threshold")}
      value={settings.threshold}
      min={0}
      max={1}
      step={0.01}
      onChange={(value) => change({ threshold: value })}
    />
  );
  return (
    <>
      {boxes ? threshold : null}
      {maps.length > 0 ? <MapTools settings={settings} maps={maps} change={change} /> : null}
    </>
  );
}

interface MapToolsProps extends Pick<OverlayToolsProps, "settings" | "maps"> {
  change(changes: Partial<OverlaySettings>): void;
}

function MapTools({ settings, maps, change }: MapToolsProps) {
  const translator = useTranslator();
  return (
    <>
      <label>
        {translator.text("activationMap")}
        <select value={settings.map} onChange={(event) => change({ map: event.target.value })}>
          <option value="">{translator.text("mapNone")}</option>
          <Options values={maps} text={(name) => (name === ENSEMBLE ? translator.text("mapEnsemble") : modelName(translator, name))} />
        </select>
      </label>
      <Slider label={translator.text("opacity")} value={settings.opacity} min={0} max={1} step={0.05} onChange={(opacity) => change({ opacity })} />
    </>
  );
}
