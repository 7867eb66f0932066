/** What the viewer shows of one version of a study. Each part is fetched when it is shown first. */
import { dataOrThrow, type HeparClient, type StudyModelAnswers, type StudyResult } from "../api.ts";
import type { ActivationMap } from "../viewer/drawing.ts";
import { LabelStore } from "./LabelStore.ts";
import { ReadFindings } from "./ReadFindings.ts";
import { SliceStore } from "./SliceStore.ts";

/** The map of all classifiers together. */
export const ENSEMBLE = "ensemble";

export class StudyVolume {
  readonly slices: SliceStore;
  readonly labels: LabelStore;
  readonly findings = new ReadFindings();
  private readonly maps = new Map<number, Promise<ReadonlyMap<string, ActivationMap>>>();
  private answers: Promise<StudyModelAnswers> | undefined;

  constructor(
    private readonly hepar: HeparClient,
    readonly result: StudyResult,
  ) {
    const { study_id, version, volume } = result;
    this.slices = new SliceStore(hepar, study_id, version, volume);
    this.labels = new LabelStore(hepar, study_id, version, volume);
  }

  /** Names of the models of a task: `classify` or `detect`. */
  models(task: "classify" | "detect"): string[] {
    return this.result.models.map(({ model }) => model).filter((model) => model.startsWith(`${task}_`));
  }

  /** What each model said about each slice. Throws HeparProblem; then the next call tries again. */
  modelAnswers(): Promise<StudyModelAnswers> {
    const { study_id, version } = this.result;
    const params = { path: { study_id }, query: { version } };
    this.answers ??= this.hepar.GET("/v1/studies/{study_id}/model-answers", { params }).then(dataOrThrow);
    this.answers.catch(() => (this.answers = undefined));
    return this.answers;
  }

  /** Of an axial slice, by classifier and of all together: computed with the models of today. Throws HeparProblem. */
  activationMaps(index: number): Promise<ReadonlyMap<string, ActivationMap>> {
    let maps = this.maps.get(index);
    if (maps === undefined) {
      maps = this.classify(index);
      this.maps.set(index, maps);
      maps.catch(() => this.maps.delete(index));
    }
    return maps;
  }

  private async classify(index: number): Promise<ReadonlyMap<string, ActivationMap>> {
    const { study_id, version } = this.result;
    const params = { path: { study_id, index }, query: { version } };
    const slice: Blob = dataOrThrow(await this.hepar.GET("/v1/studies/{study_id}/slices/{index}.png", { params, parseAs: "blob" }));
    const answer = await this.hepar.POST("/v1/classifications", {
      params: { query: { explain: true, explain_models: true } },
      headers: { "Content-Type": "application/octet-stream" },
      body: slice as never, // the document describes binary bodies as strings
      bodySerializer: (body: unknown) => body as Blob,
    });
    const { explanation, votes } = dataOrThrow(answer);
    const maps = new Map<string, ActivationMap>();
    if (explanation) maps.set(ENSEMBLE, explanation.activation_map);
    for (const vote of votes) if (vote.explanation) maps.set(vote.model, vote.explanation.activation_map);
    return maps;
  }
}
