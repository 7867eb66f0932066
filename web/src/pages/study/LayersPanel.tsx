/** What is laid over a pane: findings, masks, the boxes of each detector, the activation map of each classifier. */
import { useCallback, useId, useState } from "react";
import { ModelNames } from "../../components/ModelNames.tsx";
import { Options } from "../../components/Options.tsx";
import { Slider } from "../../components/Slider.tsx";
import { useTranslator } from "../../i18n/LanguageProvider.tsx";
import { modelName } from "../../modelName.ts";
import { useFromVoxel, type Position } from "../../studies/Position.ts";
import { ENSEMBLE, type StudyVolume } from "../../studies/StudyVolume.ts";
import type { Voxel } from "../../viewer/planes.ts";
import { detectorColour, type Layers } from "./layers.ts";
import { useModelAnswers } from "./usePlane.ts";

interface LayersPanelProps {
  volume: StudyVolume;
  position: Position;
  layers: Layers;
  onLayers(layers: Layers): void;
}

export function LayersPanel({ volume, position, layers, onLayers }: LayersPanelProps) {
  const translator = useTranslator();
  const [open, setOpen] = useState(false);
  const change = (changes: Partial<Layers>) => onLayers({ ...layers, ...changes });
  return (
    <div className="layers">
      <div className="tools">
        {(["boxes", "axes", "masks"] as const).map((layer) => (
          <label key={layer}>
            <input type="checkbox" checked={layers[layer]} onChange={(event) => change({ [layer]: event.target.checked })} />
            {translator.text(layer)}
          </label>
        ))}
        <Slider label={translator.text("maskOpacity")} value={layers.maskOpacity} min={0} max={1} step={0.05} onChange={(maskOpacity) => change({ maskOpacity })} />
      </div>
      <details onToggle={(event) => setOpen(event.currentTarget.open)}>
        <summary>{translator.text("layersOfModels")}</summary>
        {open ? <ModelLayers volume={volume} position={position} layers={layers} change={change} /> : null}
      </details>
    </div>
  );
}

interface ModelLayersProps extends Omit<LayersPanelProps, "onLayers"> {
  change(changes: Partial<Layers>): void;
}

function ModelLayers({ volume, position, layers, change }: ModelLayersProps) {
  const translator = useTranslator();
  const detectors = volume.models("detect");
  const { answers } = useModelAnswers(volume, true);
  const title = useId();
  if (answers && answers.slices.length === 0) return <p className="quiet">{translator.text("noModelAnswers")}</p>;
  const toggle = (name: string) =>
    change({ detectors: layers.detectors.includes(name) ? layers.detectors.filter((other) => other !== name) : [...layers.detectors, name] });
  return (
    <div className="model-layers">
      <div className="tools" role="group" aria-labelledby={title}>
        <span id={title}>{translator.text("detectors")}</span>
        {detectors.map((name, number) => (
          <label key={name}>
            <input type="checkbox" checked={layers.detectors.includes(name)} onChange={() => toggle(name)} />
            <Swatch colour={detectorColour(number)} />
            <ModelNames names={[name]} />
          </label>
        ))}
      </div>
      <div className="tools">
        <label>
          {translator.text("activationMap")}
          <select value={layers.map} onChange={(event) => change({ map: event.target.value })}>
            <option value="">{translator.text("mapNone")}</option>
            <option value={ENSEMBLE}>{translator.text("mapEnsemble")}</option>
            <Options values={volume.models("classify")} text={(name) => modelName(translator, name)} />
          </select>
        </label>
        <Slider label={translator.text("mapOpacity")} value={layers.mapOpacity} min={0} max={1} step={0.05} onChange={(mapOpacity) => change({ mapOpacity })} />
      </div>
      <Votes volume={volume} position={position} />
    </div>
  );
}

/** A style attribute would violate the Content-Security-Policy; an attribute of SVG does not. */
function Swatch({ colour }: { colour: string }) {
  return (
    <svg width="12" height="12" aria-hidden="true">
      <rect width="12" height="12" fill={colour} />
    </svg>
  );
}

const sliceOf = ({ slice }: Voxel) => slice;

/** What each classifier said about the slice shown. */
function Votes({ volume, position }: Pick<LayersPanelProps, "volume" | "position">) {
  const translator = useTranslator();
  const index = useFromVoxel(position, useCallback(sliceOf, []));
  const { answers } = useModelAnswers(volume, true);
  const votes = Object.entries(answers?.slices.find(({ slice }) => slice === index)?.votes ?? {});
  if (!answers) return <p role="status">{translator.text("loading")}</p>;
  if (votes.length === 0) return <p className="quiet">{translator.text("noVotes")}</p>;
  const labels = Object.keys(votes[0]![1]);
  return (
    <table className="slice-votes">
      <thead>
        <tr>
          <th scope="col">{translator.text("classifier")}</th>
          {labels.map((label) => (
            <th scope="col" key={label}>
              {translator.term(label)}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {votes.map(([model, probabilities]) => (
          <tr key={model}>
            <th scope="row">
              <ModelNames names={[model]} />
            </th>
            {labels.map((label) => (
              <td key={label}>{translator.probability(probabilities[label] ?? 0)}</td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}
