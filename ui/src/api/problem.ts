import type { components } from "./schema";

export type ProblemBody = components["schemas"]["ProblemShape"];
export type ProblemAt = components["schemas"]["ProblemAt"];

/** A refusal, in the words of the node; or that there was no answer. */
export class Problem extends Error {
  readonly status: number;
  readonly code: string;
  readonly hint: string;
  readonly at: readonly ProblemAt[];

  constructor(status: number, body: Partial<ProblemBody>) {
    super(body.detail ?? body.title ?? "");
    this.name = "Problem";
    this.status = status;
    this.code = body.code ?? "";
    this.hint = body.hint ?? "";
    this.at = body.errors ?? [];
  }

  /** No answer came: the node is away, or the network is. */
  static unreachable(): Problem {
    return new Problem(0, {});
  }

  get isUnreachable(): boolean {
    return this.status === 0;
  }

  get isDenied(): boolean {
    return this.status === 403;
  }

  get isMissing(): boolean {
    return this.status === 404;
  }

  /** Somebody else has saved another version. */
  get isConflict(): boolean {
    return this.status === 412;
  }
}

/** What was thrown, as a problem. */
export function asProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  return new Problem(0, { detail: error instanceof Error ? error.message : String(error) });
}
