/** The study in the second pane: the same result, another version of it, or another study of the patient. */
import { useCallback, useEffect, useMemo, useState } from "react";
import { dataOrThrow, type Study, type StudyResult, type VolumeFacts } from "../../api.ts";
import { useResource } from "../../components/useResource.ts";
import { useSession } from "../../session/SessionProvider.tsx";
import { link, type Anchor } from "../../studies/link.ts";
import { Position } from "../../studies/Position.ts";
import { liverMiddle, middleOf } from "../../studies/SliceStore.ts";
import { StudyVolume } from "../../studies/StudyVolume.ts";

/** `STUDY VERSION`; empty for the same result. */
export type Choice = string;

export interface Candidate {
  choice: Choice;
  study: Study;
  version: number;
}

export interface Candidates {
  /** undefined until it is known. */
  own: Study | undefined;
  /** Other versions of this study, then other studies of the patient. */
  others: readonly Candidate[];
}

const NO_CANDIDATES: Candidates = { own: undefined, others: [] };

/** Where they cannot be listed there are none. */
export function useCandidates({ study_id, version }: StudyResult, wanted: boolean): Candidates {
  const { hepar } = useSession();
  const load = useCallback(async () => {
    if (!wanted) return NO_CANDIDATES;
    const study = dataOrThrow(await hepar.GET("/v1/studies/{study_id}", { params: { path: { study_id } } }));
    const versions = Array.from({ length: study.version }, (_, index) => index + 1).filter((number) => number !== version);
    const same = versions.map((number) => ({ choice: `${study_id} ${number}`, study, version: number }));
    if (!study.patient_pseudonym) return { own: study, others: same };
    const query = { search: study.patient_pseudonym, status: "finished" as const };
    const { items } = dataOrThrow(await hepar.GET("/v1/studies", { params: { query } }));
    const others = items.filter(({ id }) => id !== study_id);
    const ofPatient = others.map((other) => ({ choice: `${other.id} ${other.version}`, study: other, version: other.version }));
    return { own: study, others: [...same, ...ofPatient] };
  }, [hepar, study_id, version, wanted]);
  return useResource(load).data ?? NO_CANDIDATES;
}

/** A choice other than the empty one is loaded; `volume` is undefined until it is there. */
export function useComparison(own: StudyVolume, position: Position, choice: Choice, linked: boolean) {
  const { hepar } = useSession();
  const load = useCallback(async () => {
    const [study_id, version] = choice.split(" ");
    if (!study_id) return undefined;
    const params = { path: { study_id }, query: { version: Number(version) } };
    return new StudyVolume(hepar, dataOrThrow(await hepar.GET("/v1/studies/{study_id}/result", { params })) as StudyResult);
  }, [hepar, choice]);
  const { data, error } = useResource(load);
  const loaded = data && choice === `${data.result.study_id} ${data.result.version}` ? data : undefined;
  const volume = choice === "" ? own : loaded;
  const shared = volume !== undefined && sameGrid(own.result.volume, volume.result.volume);
  const otherPosition = useMemo(
    () => (volume === undefined || shared ? position : new Position(volume.result.volume, middleOf(volume.result.volume))),
    [position, volume, shared],
  );
  useLink(own.result.volume, position, volume?.result.volume, otherPosition, linked);
  return { volume, position: otherPosition, error, shared };
}

/** At first the middles of both livers belong together; later what both show when they are linked again. */
function useLink(own: VolumeFacts, position: Position, other: VolumeFacts | undefined, otherPosition: Position, linked: boolean): void {
  const [unlinkedOnce, setUnlinkedOnce] = useState(false);
  useEffect(() => {
    if (!linked) setUnlinkedOnce(true);
    if (!linked || !other || otherPosition === position) return;
    const middles: Anchor = { one: liverMiddle(own), other: liverMiddle(other) };
    const shown: Anchor = { one: position.current().slice, other: otherPosition.current().slice };
    const [one, two] = [
      { position, spacing_mm: own.spacing_mm[0] },
      { position: otherPosition, spacing_mm: other.spacing_mm[0] },
    ];
    return link(one, two, unlinkedOnce ? shown : middles);
  }, [own, position, other, otherPosition, linked, unlinkedOnce]);
}

function sameGrid(one: VolumeFacts, other: VolumeFacts): boolean {
  const grid = ({ slices, rows, columns, spacing_mm, origin_mm }: VolumeFacts) => JSON.stringify([slices, rows, columns, spacing_mm, origin_mm]);
  return grid(one) === grid(other);
}
