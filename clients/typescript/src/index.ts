/** The Hepar gateway, typed: every path, parameter and answer as docs/openapi.json has it. */
import createClient, { type Client, type Middleware } from "openapi-fetch";
import type { components, paths } from "./schema.d.ts";

export type Schemas = components["schemas"];
export type Problem = Schemas["Problem"];
export type HeparClient = Client<paths>;

/** Where the access token comes from: `renew` is asked once when the gateway refuses it. */
export interface Tokens {
  current(): string | undefined;
  renew?(): Promise<string | undefined>;
}

/** What the gateway refused. `problem.type` leads to a page of the gateway with cause and cure. */
export class HeparProblem extends Error {
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(`${problem.title}: ${problem.detail} (request ${problem.request_id})`);
    this.problem = problem;
  }
}

/** A client of one gateway. Every POST gets an Idempotency-Key unless the caller gives one. */
export function createHepar(baseUrl: string, tokens?: Tokens): HeparClient {
  const client = createClient<paths>({ baseUrl });
  client.use(withKey);
  if (tokens !== undefined) client.use(withToken(tokens));
  return client;
}

/** The answer, or HeparProblem thrown. */
export function answered<Answer>(result: { data?: Answer; error?: unknown; response: Response }): Answer {
  if (result.data !== undefined) return result.data;
  if (isProblem(result.error)) throw new HeparProblem(result.error);
  throw new Error(`status ${result.response.status} without a problem: is there a Hepar gateway?`);
}

/** The body of an upload: one image, or several, in parts named `image`. */
export function uploaded(...images: Blob[]): FormData {
  const form = new FormData();
  for (const image of images) form.append("image", image);
  return form;
}

export function isProblem(value: unknown): value is Problem {
  return typeof value === "object" && value !== null && "type" in value && "request_id" in value && "status" in value;
}

const withKey: Middleware = {
  onRequest({ request }) {
    if (request.method === "POST" && !request.headers.has("Idempotency-Key")) {
      request.headers.set("Idempotency-Key", crypto.randomUUID());
    }
    return request;
  },
};

function withToken(tokens: Tokens): Middleware {
  const repeats = new Map<string, Request>();
  return {
    onRequest({ id, request }) {
      const token = tokens.current();
      if (token !== undefined && !request.headers.has("Authorization")) {
        request.headers.set("Authorization", `Bearer ${token}`);
        if (tokens.renew !== undefined) repeats.set(id, request.clone());
      }
      return request;
    },
    async onResponse({ id, response }) {
      const repeat = repeats.get(id);
      repeats.delete(id);
      if (response.status !== 401 || repeat === undefined || tokens.renew === undefined) return response;
      const token = await tokens.renew();
      if (token === undefined) return response;
      repeat.headers.set("Authorization", `Bearer ${token}`);
      return fetch(repeat);
    },
  };
}
