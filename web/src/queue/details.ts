/** What a result has not at first, because it is large: fetched when a user opens it, by sending the image again. */
import type { Classification, Detection, TokenSource } from "../api.ts";
import type { QueueItem } from "./items.ts";
import { parsedAnswer, upload, uploadRequest } from "./upload.ts";

const UNOBSERVED = { onProgress: () => undefined, onSent: () => undefined };

/** With the activation maps of the ensemble and of each model. Throws HeparProblem. */
export function fetchExplanations(item: QueueItem, tokens: TokenSource, signal: AbortSignal): Promise<Classification> {
  return fetchDetail(item, tokens, signal, "/v1/classifications", { explain: "true", explain_models: "true" });
}

/** The image with the boxes drawn in, as PNG in base64; undefined where the server made none. Throws HeparProblem. */
export async function fetchAnnotated(item: QueueItem, tokens: TokenSource, signal: AbortSignal): Promise<string | undefined> {
  const detection: Detection = await fetchDetail(item, tokens, signal, "/v1/detections", { annotate: "true" });
  return detection.annotated_png ?? undefined;
}

async function fetchDetail<Detail>(
  item: QueueItem,
  tokens: TokenSource,
  signal: AbortSignal,
  path: string,
  options: Record<string, string>,
): Promise<Detail> {
  const request = await uploadRequest(item, path, options);
  let response = await upload(request, tokens.current(), signal, UNOBSERVED);
  if (response.status === 401) {
    const token = await tokens.renew?.();
    if (token !== undefined) response = await upload(request, token, signal, UNOBSERVED);
  }
  return parsedAnswer(response) as Detail;
}
