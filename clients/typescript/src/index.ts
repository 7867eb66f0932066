/** Typed client of the Hepar gateway. Paths, parameters and responses come from docs/openapi.json. */
import createClient, { type Client, type Middleware } from "openapi-fetch";
import type { components, paths } from "./schema.d.ts";

export type { paths } from "./schema.d.ts";
export type Schemas = components["schemas"];
export type Problem = Schemas["Problem"];
export type HeparClient = Client<paths>;

/** Supplies the access token. `renew` is called once when the gateway answers 401. */
export interface TokenSource {
  current(): string | undefined;
  renew?(): Promise<string | undefined>;
}

/** An error response of the gateway. `problem.type` is the path of a page that explains the cause and the remedy. */
export class HeparProblem extends Error {
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(`${problem.title}: ${problem.detail} (request ${problem.request_id})`);
    this.problem = problem;
  }
}

/** A client of one gateway. Every POST gets an Idempotency-Key unless the caller sets one. */
export function createHepar(baseUrl: string, tokens?: TokenSource): HeparClient {
  const client = createClient<paths>({ baseUrl });
  client.use(idempotencyKeyMiddleware);
  if (tokens !== undefined) client.use(bearerTokenMiddleware(tokens));
  return client;
}

/** Returns the response body, or throws HeparProblem. */
export function dataOrThrow<Data>(result: { data?: Data; error?: unknown; response: Response }): Data {
  if (result.data !== undefined) return result.data;
  throwOnError(result);
  throw new Error(`status ${result.response.status} without a body`);
}

/** Throws HeparProblem for an error response. For operations whose success has no body. */
export function throwOnError(result: { error?: unknown; response: Response }): void {
  if (result.response.ok) return;
  if (isProblem(result.error)) throw new HeparProblem(result.error);
  throw new Error(`status ${result.response.status} without a problem document: is this address a Hepar gateway?`);
}

/** The multipart body of an upload: each image is a part named `image`. */
export function imageForm(...images: Blob[]): FormData {
  const form = new FormData();
  for (const image of images) form.append("image", image);
  return form;
}

/** The multipart body of a study: a ZIP, a NIfTI volume, or all DICOM files, each in a part named `file`. */
export function studyForm(...files: Blob[]): FormData {
  const form = new FormData();
  for (const file of files) form.append("file", file);
  return form;
}

export function isProblem(value: unknown): value is Problem {
  return typeof value === "object" && value !== null && "type" in value && "request_id" in value && "status" in value;
}

const idempotencyKeyMiddleware: Middleware = {
  onRequest({ request }) {
    if (request.method === "POST" && !request.headers.has("Idempotency-Key")) {
      request.headers.set("Idempotency-Key", crypto.randomUUID());
    }
    return request;
  },
};

function bearerTokenMiddleware(tokens: TokenSource): Middleware {
  // A request body can be read only once, so each request is cloned before it is sent.
  const clones = new Map<string, Request>();
  return {
    onRequest({ id, request }) {
      const token = tokens.current();
      if (token !== undefined && !request.headers.has("Authorization")) {
        request.headers.set("Authorization", `Bearer ${token}`);
        if (tokens.renew !== undefined) clones.set(id, request.clone());
      }
      return request;
    },
    async onResponse({ id, response }) {
      const retry = clones.get(id);
      clones.delete(id);
      if (response.status !== 401 || retry === undefined || tokens.renew === undefined) return response;
      const token = await tokens.renew();
      if (token === undefined) return response;
      retry.headers.set("Authorization", `Bearer ${token}`);
      return fetch(retry);
    },
    onError({ id }) {
      clones.delete(id);
    },
  };
}
