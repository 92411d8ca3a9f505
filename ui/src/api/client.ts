import createClient, { type Middleware } from "openapi-fetch";
import type { components, paths } from "./schema";
import { Problem, type ProblemBody } from "./problem";

export type Schemas = components["schemas"];

let csrf = "";

/** Takes over the token that every change has to show; it is bound to the session. */
export function setCsrf(token: string | null | undefined): void {
  csrf = token ?? "";
}

/** Adds the token to changes. */
const guard: Middleware = {
  onRequest({ request }) {
    if (request.method !== "GET" && csrf !== "") request.headers.set("X-CSRF-Token", csrf);
    return request;
  },
};

const client = createClient<paths>({
  baseUrl: "/",
  fetch: async (request) => {
    try {
      return await fetch(request);
    } catch {
      throw Problem.unreachable();
    }
  },
});
client.use(guard);

/** The typed client: `api.GET("/api/workflows", …)`. Its answers go through `data` or `whole`. */
export const api = client;

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** The header that the node itself adds, so callers do not give it; see `guard`. */
export const own = { header: { "X-CSRF-Token": "" } } as const;

function refusal(answer: Answer<unknown>): Problem {
  const body = answer.error;
  const shape = typeof body === "object" && body !== null ? (body as Partial<ProblemBody>) : {};
  return new Problem(answer.response.status, shape);
}

/** Returns what was answered, or throws the refusal. */
export async function data<T>(asked: Promise<Answer<T>>): Promise<T> {
  const answer = await asked;
  if (!answer.response.ok) throw refusal(answer);
  return answer.data as T;
}

/** Returns what was answered with its version, for a change that is based on it. */
export async function versioned<T>(asked: Promise<Answer<T>>): Promise<{ document: T; etag: string }> {
  const answer = await asked;
  if (!answer.response.ok) throw refusal(answer);
  return { document: answer.data as T, etag: answer.response.headers.get("etag") ?? "" };
}
