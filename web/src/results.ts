/** Reads the parts of an analysis and puts them into words. */
import { isProblem, type Analysis, type Classification, type Detection, type Schemas } from "./api.ts";
import type { Translator } from "./i18n/translator.ts";
import { modelName } from "./modelName.ts";
import type { Display } from "./viewer/display.ts";

type NetworkScale = Schemas["NetworkScale"];

export function classificationOf(analysis: Analysis | undefined): Classification | undefined {
  return analysis === undefined || isProblem(analysis.classification) ? undefined : analysis.classification;
}

export function detectionOf(analysis: Analysis | undefined): Detection | undefined {
  return analysis === undefined || isProblem(analysis.detection) ? undefined : analysis.detection;
}

/** The decided class, or `type_undecided`, `indeterminate` or `out_of_scope`. */
export function decisionOf({ outcome, label }: Classification): string {
  return label ?? outcome;
}

/** How many of the models voted for the most probable class. */
export function agreementOf(classification: Classification): { votes: number; models: number } {
  return { votes: classification.agreeing_models, models: classification.voting_models };
}

/** Properties of the image, from the part that has a result. */
export function imageOf(analysis: Analysis | undefined): Detection["image"] | undefined {
  return (detectionOf(analysis) ?? classificationOf(analysis))?.image;
}

/** Standard radiological display; undefined without a result. */
export function displayOf(analysis: Analysis | undefined): Display | undefined {
  return imageOf(analysis)?.display;
}

/** Notes about the image, each once. */
export function warningsOf(analysis: Analysis | undefined): string[] {
  const parts = [classificationOf(analysis), detectionOf(analysis)];
  return [...new Set(parts.flatMap((part) => part?.image.warnings ?? []))];
}

export function outcomeText(translator: Translator, classification: Classification): string {
  const { outcome, scope, most_probable_label: mostProbable, probability } = classification;
  const label = translator.term(mostProbable ?? "");
  const tumour = translator.probability(classification.tumour_probability ?? 0);
  if (outcome === "out_of_scope") return outOfScopeText(translator, scope);
  if (outcome === "indeterminate") return translator.text("indeterminate", { label, tumour });
  if (outcome === "type_undecided") return translator.text("typeUndecided", { label, tumour });
  return translator.text("classifiedAs", { label, probability: translator.probability(probability ?? 0) });
}

function outOfScopeText(translator: Translator, scope: Classification["scope"]): string {
  if (scope?.code === "no_liver") return translator.text("noLiver");
  const check = scope?.input_check;
  const written = (value: number | undefined) => (value === undefined ? "?" : translator.number(value, 2));
  return translator.text("outOfScope", { typicality: written(check?.typicality), threshold: written(check?.threshold) });
}

/** How large the pixels are that the networks saw, and the detectors if they looked closer. */
export function scaleText(translator: Translator, { mm_per_pixel, source, closest_mm_per_pixel }: NetworkScale): string {
  if (mm_per_pixel === null) return translator.text("scaleUnknown");
  const written = (millimetres: number) => translator.number(millimetres, 2);
  const text = translator.text(source === "file" ? "scaleStated" : "scaleEstimated", { scale: written(mm_per_pixel) });
  if (typeof closest_mm_per_pixel !== "number" || closest_mm_per_pixel >= mm_per_pixel) return text;
  return `${text} ${translator.text("scaleCloser", { scale: written(closest_mm_per_pixel) })}`;
}

/** Where classification and detection do not fit together. */
export function contradictionText(translator: Translator, { consistency }: Analysis): string | undefined {
  const { code } = consistency;
  return code === "consistent" || code === "not_comparable" ? undefined : translator.text(CONTRADICTIONS[code]);
}

const CONTRADICTIONS = {
  tumour_without_box: "tumourWithoutBox",
  box_without_tumour: "boxWithoutTumour",
  other_type: "otherType",
} as const;

/** Lesions of any score; undefined where nothing was looked for, or the detectors did not answer. */
export function lesionCountOf(analysis: Analysis | undefined): number | undefined {
  const count = detectionOf(analysis)?.boxes.length;
  return count === 0 && classificationOf(analysis)?.outcome === "out_of_scope" ? undefined : count;
}

/** In millimetres if the pixel spacing is known, otherwise in pixels. */
export function boxSizeText(translator: Translator, box: Detection["boxes"][number]): string {
  const [width, height] = box.size_mm ?? box.size_px;
  return `${translator.number(width, 1)} × ${translator.number(height, 1)} ${box.size_mm ? "mm" : "px"}`;
}

export function boxText(translator: Translator, box: Detection["boxes"][number], number: number): string {
  return translator.text("box", {
    number,
    label: translator.term(box.label),
    score: translator.probability(box.score),
    detectors: box.detectors.map((name) => modelName(translator, name)).join(", "),
    size: boxSizeText(translator, box),
  });
}

/** For the clipboard. */
export function resultText(translator: Translator, title: string, analysis: Analysis): string {
  const lines = [title];
  const classification = classificationOf(analysis);
  if (classification !== undefined) {
    lines.push(outcomeText(translator, classification));
    const contradiction = contradictionText(translator, analysis);
    if (contradiction !== undefined) lines.push(contradiction);
    if (classification.votes.length > 0) lines.push(translator.text("agreement", agreementOf(classification)));
    for (const { model, version, label } of classification.votes) {
      lines.push(`  ${translator.text("modelNameAndVersion", { model, version })}: ${translator.term(label)}`);
    }
  }
  for (const [index, box] of (detectionOf(analysis)?.boxes ?? []).entries()) lines.push(boxText(translator, box, index + 1));
  return [...lines, translator.text("requestId", { id: analysis.request_id }), translator.text("notice")].join("\n");
}
