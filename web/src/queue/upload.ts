/** One upload of an image. XMLHttpRequest, because fetch does not report the progress of an upload. */
import { HeparProblem, isProblem } from "../api.ts";
import { singlePageTiff } from "../files/tiffPages.ts";
import type { QueueItem } from "./items.ts";

const TIMEOUT_MS = 60_000;

export interface UploadResponse {
  /** 0 without a response. */
  status: number;
  body: string;
  /** From Retry-After. */
  retryAfter_s: number | undefined;
}

export interface UploadObserver {
  onProgress(progress: number): void;
  onSent(): void;
}

export interface UploadRequest {
  body: Blob;
  /** With its query. */
  address: string;
}

/** What is sent for an item: DICOM frames are selected by the server, TIFF pages here. Large parts are fetched later. */
export async function uploadRequest(
  { file, frame, inspection }: QueueItem,
  path = "/v1/analyses",
  options: Record<string, string> = {},
): Promise<UploadRequest> {
  const page = frame !== undefined && inspection?.kind === "TIFF";
  const query = new URLSearchParams({ ...options, ...(frame !== undefined && !page ? { frame: String(frame.index) } : {}) });
  const body = page ? new Blob([singlePageTiff(new Uint8Array(await file.arrayBuffer()), frame.index)]) : file;
  return { body, address: query.size > 0 ? `${path}?${query}` : path };
}

export async function upload(
  { body, address }: UploadRequest,
  token: string | undefined,
  signal: AbortSignal,
  observer: UploadObserver,
): Promise<UploadResponse> {
  const request = new XMLHttpRequest();
  const abort = () => request.abort();
  signal.addEventListener("abort", abort);
  const ended = new Promise<void>((resolve) => {
    request.onloadend = () => resolve();
  });
  request.upload.onprogress = (event) => {
    if (event.lengthComputable) observer.onProgress(event.loaded / event.total);
  };
  request.upload.onload = () => observer.onSent();
  request.open("POST", address);
  request.setRequestHeader("Authorization", `Bearer ${token ?? ""}`);
  request.setRequestHeader("Content-Type", "application/octet-stream");
  request.setRequestHeader("Idempotency-Key", crypto.randomUUID());
  request.setRequestHeader("traceparent", `00-${randomHex(16)}-${randomHex(8)}-01`);
  request.timeout = TIMEOUT_MS;
  request.send(body);
  await ended;
  signal.removeEventListener("abort", abort);
  const retryAfter_s = Number(request.getResponseHeader("Retry-After") ?? Number.NaN);
  return { status: request.status, body: request.responseText, retryAfter_s: Number.isFinite(retryAfter_s) ? retryAfter_s : undefined };
}

/** What a response means for its item. */
export function parseResponse(response: Pick<UploadResponse, "status" | "body">): Partial<QueueItem> {
  try {
    return { state: "done", analysis: parsedAnswer(response) as NonNullable<QueueItem["analysis"]> };
  } catch (error) {
    return { state: "failed", error };
  }
}

/** The document of a successful response. Throws HeparProblem. */
export function parsedAnswer({ status, body }: Pick<UploadResponse, "status" | "body">): unknown {
  let document: unknown;
  try {
    document = JSON.parse(body);
  } catch {
    document = undefined;
  }
  if (status === 200 && document !== undefined) return document;
  throw isProblem(document) ? new HeparProblem(document) : new Error(`no usable response, status ${status}`);
}

/** Random bytes in hexadecimal digits, as W3C Trace Context requires. */
function randomHex(bytes: number): string {
  return [...crypto.getRandomValues(new Uint8Array(bytes))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
