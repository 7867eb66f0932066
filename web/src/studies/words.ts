/** Puts studies, results and lesions into words. */
import type { Lesion, Study, StudyResult } from "../api.ts";
import type { Translator } from "../i18n/translator.ts";

/** As lists of studies name it. */
export function studyTitle(translator: Translator, { name, patient_pseudonym }: Study): string {
  return name ?? patient_pseudonym ?? translator.text("unnamed");
}

/** What tells it from studies of the same title. */
export function studyNumbers({ name, patient_pseudonym, accession_number }: Study): string {
  return [name ? patient_pseudonym : null, accession_number].filter(Boolean).join(" · ");
}

/** "2 lesions, largest 24.7 mm; Metastasis 0.81", or how far the analysis is. */
export function studyLine(translator: Translator, { status, summary, progress }: Study): string {
  if (status === "running" && progress.slices_total) {
    return translator.text("sliceProgress", { done: progress.slices_done, total: progress.slices_total });
  }
  if (!summary) return translator.term(status);
  const { outcome, label, probability, lesions, largest_mm } = summary;
  const parts = [translator.term(label ?? outcome)];
  if (probability !== null) {
    const written = translator.probability(probability);
    parts[0] += label === null ? `, ${translator.text("tumourProbability", { probability: written })}` : ` ${written}`;
  }
  if (lesions > 0) parts.unshift(translator.text("lesionCount", { count: lesions }));
  if (largest_mm !== null) parts[0] += `, ${translator.text("largest", { size: translator.number(largest_mm, 1) })}`;
  return parts.join("; ");
}

/** Why somebody should look at the study before others; as the order of the server. */
export function attentionReason({ status, summary }: Study): "flagUndecided" | "flagContradiction" | undefined {
  if (status !== "finished" || !summary) return undefined;
  const { outcome, label, lesions } = summary;
  if (outcome === "indeterminate" || outcome === "type_undecided") return "flagUndecided";
  const contradictory = label !== null && (label === "no_tumour") === lesions > 0;
  return contradictory ? "flagContradiction" : undefined;
}

export function verdict(translator: Translator, result: StudyResult): string {
  const { outcome, label, type_probabilities, tumour_probability } = result;
  const tumour = translator.probability(tumour_probability ?? 0);
  if (outcome === "out_of_scope") return translator.text("studyOutOfScope");
  if (outcome === "indeterminate") return translator.text("studyIndeterminate", { tumour });
  if (outcome === "type_undecided") return translator.text("studyTypeUndecided", { tumour });
  if (label === null || label === "no_tumour") return translator.text("studyNoTumour", { tumour });
  const type = translator.probability(type_probabilities[label] ?? 0);
  return translator.text("studyTumour", { label: translator.term(label), type, tumour });
}

/** "24.7 × 19.1 mm · 5.2 ml". */
export function sizeText(translator: Translator, { long_axis, short_axis, volume_ml }: Pick<Lesion, "long_axis" | "short_axis" | "volume_ml">): string {
  const axes = `${translator.number(long_axis.length_mm, 1)} × ${translator.number(short_axis.length_mm, 1)} mm`;
  return volume_ml === null ? axes : `${axes} · ${translator.number(volume_ml, 1)} ml`;
}

/** One sentence for a report. */
export function lesionSentence(translator: Translator, lesion: Lesion): string {
  const probability = translator.probability(lesion.probability);
  return translator.text("lesionSentence", { ...lesionValues(translator, lesion), probability });
}

/** The whole finding in one sentence, for a report. */
export function findingSentence(translator: Translator, result: StudyResult): string {
  const decision = verdict(translator, result);
  if (result.outcome === "out_of_scope") return withNotice(translator, decision);
  const [largest] = [...result.lesions].sort((one, other) => other.long_axis.length_mm - one.long_axis.length_mm);
  const lesions = largest
    ? translator.text("sentenceLesions", {
        count: result.lesions.length,
        largest: translator.text("sentenceLargest", lesionValues(translator, largest)),
      })
    : translator.text("sentenceNone");
  const read = result.reading ? [translator.text("sentenceReading", { count: result.reading.summary.lesions })] : [];
  return withNotice(translator, [lesions, decision.replace(/\.$/, ""), ...read].join("; "));
}

function lesionValues(translator: Translator, { id, label, lobe, long_axis, short_axis, key_slice }: Lesion) {
  return {
    id,
    type: translator.term(label ?? "type_undecided"),
    where: lobe ? translator.term(`${lobe}_lobe`) : translator.term("liver"),
    long: translator.number(long_axis.length_mm, 1),
    short: translator.number(short_axis.length_mm, 1),
    slice: key_slice + 1,
  };
}

/** For the clipboard: nothing leaves the application without the notice. */
export function withNotice(translator: Translator, sentence: string): string {
  return `${sentence.replace(/\.$/, "")} (Hepar: ${translator.text("notice").replace(/\.$/, "")}).`;
}
