/** What the networks say of one image, and the image. */
import { useCallback, useMemo, useState } from "react";
import { useParams } from "react-router";
import { labelled, probable, useSay, type Say } from "../i18n.tsx";
import type { Picture } from "../pictures.ts";
import { TroubleBox, troubleOf } from "../problems.tsx";
import { useEntries, type Entry, type Queue } from "../queue.ts";
import { HeparProblem, isProblem, type Analysis, type Classification, type Detection } from "../session.tsx";
import type { View } from "../viewer/geometry.ts";
import { sizeOf, Viewer } from "../viewer/Viewer.tsx";

export default function Result({ queue }: { queue: Queue }) {
  const say = useSay();
  const { id } = useParams();
  const entry = useEntries(queue).find((one) => one.id === id);
  if (entry?.analysis === undefined) {
    return (
      <section>
        <h1>{say("results")}</h1>
        <p>{say("noResult")}</p>
      </section>
    );
  }
  return <Shown key={entry.id} entry={entry} analysis={entry.analysis} />;
}

function Shown({ entry, analysis }: { entry: Entry; analysis: Analysis }) {
  const say = useSay();
  const classification = isProblem(analysis.classification) ? undefined : analysis.classification;
  const detection = isProblem(analysis.detection) ? undefined : analysis.detection;
  return (
    <section className="result">
      <h1>{entry.file.name}</h1>
      <p className="notice">{analysis.notice}</p>
      <div className="columns">
        {entry.looked?.picture ? (
          <Looking picture={entry.looked.picture} classification={classification} detection={detection} />
        ) : (
          <Annotated detection={detection} name={entry.file.name} />
        )}
        <div className="findings">
          {isProblem(analysis.classification) ? (
            <TroubleBox trouble={troubleOf(new HeparProblem(analysis.classification), say)} />
          ) : (
            <Verdict said={analysis.classification} />
          )}
          {isProblem(analysis.detection) ? (
            <TroubleBox trouble={troubleOf(new HeparProblem(analysis.detection), say)} />
          ) : null}
          <Actions entry={entry} analysis={analysis} />
        </div>
      </div>
    </section>
  );
}

export function verdictInWords(say: Say, said: Classification): string {
  if (said.outcome === "out_of_scope") return say("outOfScope", { reason: said.scope?.reason ?? "" });
  const label = labelled(say, said.most_probable_label ?? "");
  if (said.outcome === "indeterminate") return say("indeterminate", { label });
  return say("looksLike", { label, probability: probable(said.probability ?? 0) });
}

function Verdict({ said }: { said: Classification }) {
  const say = useSay();
  return (
    <>
      <p className="verdict" role="status">
        {verdictInWords(say, said)}
      </p>
      {said.votes.length > 0 ? (
        <p>
          {say("agree", { agreeing: String(said.agreeing_models), voting: String(said.voting_models) })}; {" "}
          {say("uncertain", { entropy: said.entropy?.toFixed(2) ?? "", mutual: said.mutual_information?.toFixed(2) ?? "" })}.
        </p>
      ) : null}
      {said.missing_models.length > 0 ? (
        <p className="warning">{say("missingModels", { models: said.missing_models.join(", ") })}</p>
      ) : null}
      {said.image.warnings.map((text) => (
        <p className="warning" key={text}>
          {text}
        </p>
      ))}
      {said.votes.length > 0 ? (
        <table className="votes">
          <caption>{say("votes")}</caption>
          <tbody>
            {said.votes.map((vote) => (
              <tr key={vote.model}>
                <th scope="row">{vote.model.replace("classify_", "")}</th>
                <td>
                  {Object.entries(vote.probabilities).map(([label, probability]) => (
                    <span className="bar" key={label}>
                      <meter min={0} max={1} value={Number(probability.toFixed(2))} aria-label={labelled(say, label)} />
                      {labelled(say, label)} {probable(probability)}
                    </span>
                  ))}
                </td>
                <td className="quiet">
                  {say("version")} {vote.version}, {say("time", { ms: Math.round(vote.duration_ms) })}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      ) : null}
    </>
  );
}

interface LookingProps {
  picture: Picture;
  classification: Classification | undefined;
  detection: Detection | undefined;
}

function Looking({ picture, classification, detection }: LookingProps) {
  const say = useSay();
  const [window, setWindow] = useState(picture.window);
  const [inverted, setInverted] = useState(false);
  const [ruling, setRuling] = useState(false);
  const [beside, setBeside] = useState(false);
  const [threshold, setThreshold] = useState(0);
  const [source, setSource] = useState("");
  const [opacity, setOpacity] = useState(0.4);
  const [view, setView] = useState<View>();
  const boxes = useMemo(
    () => detection?.boxes.filter((box) => box.score >= threshold) ?? [],
    [detection, threshold],
  );
  const maps = useMemo(() => {
    const found = new Map<string, readonly (readonly number[])[]>();
    if (classification?.explanation) found.set("ensemble", classification.explanation.activation_map);
    for (const vote of classification?.votes ?? []) {
      if (vote.explanation) found.set(vote.model, vote.explanation.activation_map);
    }
    return found;
  }, [classification]);
  const shown = useMemo(() => ({ boxes, map: maps.get(source), opacity }), [boxes, maps, source, opacity]);
  const plain = useMemo(() => ({ boxes: [], opacity: 0 }), []);
  const common = {
    picture,
    window,
    inverted,
    ruling,
    view,
    onView: useCallback((next: View) => setView(next), []),
    onWindow: setWindow,
    onInvert: () => setInverted((known) => !known),
    onRuling: () => setRuling((known) => !known),
  };
  const span = picture.hounsfield ? 2000 : 510;
  return (
    <div className="looking">
      <div className={beside ? "pair" : "single"}>
        {beside ? <Viewer {...common} shown={plain} /> : null}
        <Viewer {...common} shown={shown} />
      </div>
      <p id="viewer-help" className="quiet">
        {say("viewerHelp")}
      </p>
      <div className="tools">
        <button type="button" onClick={() => setView(undefined)}>
          {say("fit")}
        </button>
        <button type="button" aria-pressed={inverted} onClick={common.onInvert}>
          {say("invert")}
        </button>
        <button type="button" aria-pressed={ruling} onClick={common.onRuling}>
          {say("ruler")}
        </button>
        <button
          type="button"
          aria-pressed={beside}
          onClick={() => {
            setBeside(!beside);
            setView(undefined);
          }}
        >
          {say("sideBySide")}
        </button>
        <Slider name={say("contrast")} value={window.width} min={1} max={span} step={1} onChange={(width) => setWindow({ ...window, width })} />
        <Slider
          name={say("brightness")}
          value={window.centre}
          min={picture.hounsfield ? -500 : 0}
          max={picture.hounsfield ? 1000 : 255}
          step={1}
          onChange={(centre) => setWindow({ ...window, centre })}
        />
        <Slider name={say("threshold")} value={threshold} min={0} max={1} step={0.01} onChange={setThreshold} />
        {maps.size > 0 ? (
          <>
            <label>
              {say("map")}
              <select value={source} onChange={(event) => setSource(event.target.value)}>
                <option value="">{say("mapNone")}</option>
                {[...maps.keys()].map((name) => (
                  <option key={name} value={name}>
                    {name === "ensemble" ? say("mapEnsemble") : name}
                  </option>
                ))}
              </select>
            </label>
            <Slider name={say("opacity")} value={opacity} min={0} max={1} step={0.05} onChange={setOpacity} />
          </>
        ) : null}
      </div>
      <p role="status">{boxes.length > 0 ? say("boxesFound", { count: boxes.length }) : say("noBoxes")}</p>
      {boxes.length > 0 ? (
        <table className="boxes">
          <tbody>
            {boxes.map((box, index) => (
              <tr key={index}>
                <th scope="row">{index + 1}</th>
                <td>{labelled(say, box.label)}</td>
                <td>{box.score.toFixed(2)}</td>
                <td>{sizeOf(box)}</td>
                <td className="quiet">{box.detectors.map((name) => name.replace("detect_", "")).join(", ")}</td>
              </tr>
            ))}
          </tbody>
        </table>
      ) : null}
    </div>
  );
}

interface SliderProps {
  name: string;
  value: number;
  min: number;
  max: number;
  step: number;
  onChange(value: number): void;
}

function Slider({ name, value, min, max, step, onChange }: SliderProps) {
  return (
    <label>
      {name}
      <input type="range" value={value} min={min} max={max} step={step} onChange={(event) => onChange(Number(event.target.value))} />
      <span aria-hidden="true">{step < 1 ? value.toFixed(2) : Math.round(value)}</span>
    </label>
  );
}

/** Where this browser cannot show the file, the picture that the server drew. */
function Annotated({ detection, name }: { detection: Detection | undefined; name: string }) {
  const say = useSay();
  if (!detection?.annotated_png) return <p>{say("noPreview")}</p>;
  return <img className="annotated" src={`data:image/png;base64,${detection.annotated_png}`} alt={name} />;
}

export function resultAsText(say: Say, name: string, analysis: Analysis): string {
  const lines = [name];
  if (!isProblem(analysis.classification)) {
    const said = analysis.classification;
    lines.push(verdictInWords(say, said));
    if (said.votes.length > 0) lines.push(say("agree", { agreeing: String(said.agreeing_models), voting: String(said.voting_models) }));
    for (const vote of said.votes) {
      lines.push(`  ${vote.model} (${say("version")} ${vote.version}): ${labelled(say, vote.label)}`);
    }
  }
  if (!isProblem(analysis.detection)) {
    for (const [index, box] of analysis.detection.boxes.entries()) {
      const told = { number: index + 1, label: labelled(say, box.label), score: box.score.toFixed(2) };
      lines.push(say("box", { ...told, detectors: box.detectors.join(", "), size: sizeOf(box) }));
    }
  }
  return [...lines, say("requestId", { id: analysis.request_id }), analysis.notice].join("\n");
}

function Actions({ entry, analysis }: { entry: Entry; analysis: Analysis }) {
  const say = useSay();
  const [copied, setCopied] = useState(false);
  const stem = entry.file.name.replace(/\.[^.]+$/, "");
  const png = isProblem(analysis.detection) ? undefined : analysis.detection.annotated_png;
  return (
    <div className="tools">
      <button
        type="button"
        onClick={() => void navigator.clipboard.writeText(resultAsText(say, entry.file.name, analysis)).then(() => setCopied(true))}
      >
        {copied ? say("copied") : say("copyText")}
      </button>
      <button type="button" onClick={() => save(`${stem}.json`, JSON.stringify(analysis, null, 1), "application/json")}>
        {say("downloadJson")}
      </button>
      {png ? (
        <button type="button" onClick={() => save(`${stem}-boxes.png`, Uint8Array.from(atob(png), (one) => one.charCodeAt(0)), "image/png")}>
          {say("downloadPng")}
        </button>
      ) : null}
      <button type="button" onClick={() => print()}>
        {say("print")}
      </button>
    </div>
  );
}

export function save(name: string, content: BlobPart, type: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([content], { type }));
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}
