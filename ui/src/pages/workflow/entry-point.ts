import { Problem, type ProblemBody } from "../../api/problem";
import type { Workflow } from "../../api/workflows";
import { member, scalar, type JsonObject } from "../../format/exact";

/** Where a source that is pushed to takes messages. */
export interface EntryPoint {
  readonly type: "webhook" | "graphql";
  readonly path: string;
  readonly idHeader: string;
  /** Whether each request has to show that its sender knows a secret. */
  readonly guarded: boolean;
}

/** Reads it from a source's document; `undefined` for sources that are not pushed to over HTTP. */
export function entryPoint(source: JsonObject): EntryPoint | undefined {
  const type = scalar(member(source, "type"));
  if (type !== "webhook" && type !== "graphql") return undefined;
  const config = member(source, "config");
  const trimmed = scalar(member(config, "path")).replace(/^\/+/, "");
  const secret = member(config, type === "webhook" ? "secret" : "api_key");
  return {
    type,
    path: `/api/${type === "webhook" ? "webhooks" : "graphql"}/${trimmed}`,
    idHeader: scalar(member(config, "id_header")) || "Idempotency-Key",
    guarded: secret != null && secret !== "",
  };
}

/** A body that such a source takes. */
export function sampleBody(entry: EntryPoint): string {
  return entry.type === "graphql"
    ? '{"query": "mutation { test }", "variables": {"test": true}}'
    : '{"test": true, "note": "hello"}';
}

const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;

/** The same request for a shell. A secret stands in it by its name alone. */
export function curlLine(entry: EntryPoint, origin: string, body: string): string {
  const parts = [
    ...(entry.guarded && entry.type === "webhook"
      ? [
          `BODY=${quoted(body)}; SIGNATURE=$(printf %s "$BODY" | openssl dgst -sha256 -hmac "$SECRET" -r | cut -d' ' -f1);`,
        ]
      : []),
    `curl -X POST ${quoted(origin + entry.path)}`,
    "-H 'Content-Type: application/json'",
  ];
  if (entry.guarded && entry.type === "webhook") {
    parts.push('-H "X-Hub-Signature-256: sha256=$SIGNATURE" -d "$BODY"');
  } else {
    if (entry.guarded) parts.push('-H "X-API-Key: $SECRET"');
    parts.push(`-d ${quoted(body)}`);
  }
  return parts.join(" ");
}

async function signature(secret: string, body: string): Promise<string> {
  const bytes = new TextEncoder();
  const use = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", bytes.encode(secret), use, false, ["sign"]);
  const signed = new Uint8Array(await crypto.subtle.sign("HMAC", key, bytes.encode(body)));
  return Array.from(signed, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Sends one message as any sender would, and returns the id under which it was accepted. */
export async function sendTest(entry: EntryPoint, body: string, secret: string): Promise<string> {
  const headers = new Headers({ "Content-Type": "application/json" });
  const made = `test-${Date.now()}-${Math.random().toString(36).slice(2, 8)}`;
  headers.set(entry.idHeader, made);
  if (entry.guarded && entry.type === "webhook") {
    headers.set("X-Hub-Signature-256", `sha256=${await signature(secret, body)}`);
  } else if (entry.guarded) headers.set("X-API-Key", secret);
  let response: Response;
  try {
    response = await fetch(entry.path, { method: "POST", headers, body, credentials: "omit" });
  } catch {
    throw Problem.unreachable();
  }
  const answer = (await response.json().catch(() => ({}))) as unknown;
  if (!response.ok) throw new Problem(response.status, refused(answer));
  return acceptedId(answer) ?? made;
}

interface GraphqlRefusal {
  errors?: { message?: string; extensions?: { code?: string; hint?: string } }[];
}

/** A refusal as the node words it: a problem document, or an error in the form of GraphQL. */
function refused(answer: unknown): Partial<ProblemBody> {
  const [first] = (answer as GraphqlRefusal).errors ?? [];
  if (first?.message === undefined) return answer as Partial<ProblemBody>;
  const { code = "", hint = "" } = first.extensions ?? {};
  return { detail: first.message, code, hint };
}

function acceptedId(answer: unknown): string | undefined {
  const { id, data } = answer as { id?: unknown; data?: { id?: unknown } };
  const found = id ?? data?.id;
  return typeof found === "string" ? found : undefined;
}

export interface Moved {
  readonly takenIn: number | undefined;
  readonly confirmed: readonly { readonly sink: string; readonly more: number | undefined }[];
}

type Status = NonNullable<Workflow["status"]>;

/** What moved between two reports, for each sink by itself: nothing about one is concluded from another (D1). */
export function moved(before: Status | undefined, now: Status): Moved {
  const more = (was: number | null | undefined, is: number | null | undefined) =>
    was == null || is == null || is < was ? undefined : is - was;
  return {
    takenIn: more(before?.next, now.next),
    confirmed: now.sinks.map((sink) => ({
      sink: sink.id,
      more: more(before?.sinks.find((each) => each.id === sink.id)?.next, sink.next),
    })),
  };
}
