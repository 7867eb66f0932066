/** The findings of a version of a study, and their corrections: each is saved at once. */
import { useCallback, useRef, useState } from "react";
import { dataOrThrow, type CorrectionForm, type Finding, type FindingList, type NewFinding } from "../api.ts";
import { useResource } from "../components/useResource.ts";
import { useSession } from "../session/SessionProvider.tsx";

/** What a reader does to a finding; `outlines` may be left out. */
export type Change = Omit<CorrectionForm, "outlines"> & Partial<Pick<CorrectionForm, "outlines">>;

export interface Corrections {
  list: FindingList | undefined;
  /** Why the findings could not be read, or the last correction was not saved. */
  error: unknown;
  /** The finding as the last correction left it. */
  saved: Finding | undefined;
  /** Whether it was saved. */
  correct(finding: Finding, change: Change): Promise<boolean>;
  add(finding: NewFinding): Promise<boolean>;
}

export function useFindings(study_id: string, version: number): Corrections {
  const { hepar } = useSession();
  const load = useCallback(
    async () => dataOrThrow(await hepar.GET("/v1/studies/{study_id}/findings", { params: { path: { study_id }, query: { version } } })) as FindingList,
    [hepar, study_id, version],
  );
  const { data: list, error, reload } = useResource(load);
  const [refused, setRefused] = useState<unknown>();
  const [saved, setSaved] = useState<Finding>();
  const saving = useRef(false);

  /** One correction at a time: the next one needs the ETag that this one leads to. */
  async function save(send: () => Promise<Finding>): Promise<boolean> {
    if (saving.current) return false;
    saving.current = true;
    try {
      setSaved(await send());
      setRefused(undefined);
      return true;
    } catch (reason) {
      setSaved(undefined);
      setRefused(reason);
      return false;
    } finally {
      await reload(); // also after a conflict: the reader has to see what somebody else has changed
      saving.current = false;
    }
  }

  const correct = (finding: Finding, change: Change) =>
    save(async () => {
      const params = { path: { study_id, finding_id: finding.id }, query: { version: finding.version }, header: { "If-Match": finding.etag } };
      const body = { outlines: [], ...change };
      return dataOrThrow(await hepar.POST("/v1/studies/{study_id}/findings/{finding_id}/corrections", { params, body })) as Finding;
    });
  const add = (body: NewFinding) =>
    save(async () => {
      const params = { path: { study_id }, query: { version }, header: { "If-Match": list?.etag ?? "" } };
      return dataOrThrow(await hepar.POST("/v1/studies/{study_id}/findings", { params, body })) as Finding;
    });
  return { list, error: refused ?? error, saved, correct, add };
}
