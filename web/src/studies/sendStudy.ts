/** Sends files as one study. XMLHttpRequest, because fetch does not report the progress of an upload. */
import { HeparProblem, isProblem, type Study, type TokenSource } from "../api.ts";

export interface SendStudyOptions {
  /** For people. */
  name?: string;
  /** 0 to 1. */
  onProgress?(share: number): void;
  signal?: AbortSignal;
}

/** files: one archive, NIfTI or DICOM file, or the DICOM files of a folder. Throws HeparProblem. */
export async function sendStudy(files: readonly File[], tokens: TokenSource, { name, onProgress, signal }: SendStudyOptions = {}): Promise<Study> {
  const body = new FormData();
  for (const file of files) body.append("file", file, file.name);
  const request = new XMLHttpRequest();
  const ended = new Promise<void>((resolve) => {
    request.onloadend = () => resolve();
  });
  request.upload.onprogress = (event) => {
    if (event.lengthComputable) onProgress?.(event.loaded / event.total);
  };
  const token = await tokens.renew?.();
  signal?.throwIfAborted();
  signal?.addEventListener("abort", () => request.abort());
  request.open("POST", name === undefined ? "/v1/studies" : `/v1/studies?${new URLSearchParams({ name })}`);
  request.setRequestHeader("Authorization", `Bearer ${token ?? tokens.current() ?? ""}`);
  request.send(body);
  await ended;
  const answer: unknown = request.responseText ? JSON.parse(request.responseText) : undefined;
  if (request.status >= 200 && request.status < 300) return answer as Study;
  throw isProblem(answer) ? new HeparProblem(answer) : new Error(`no usable response, status ${request.status}`);
}
