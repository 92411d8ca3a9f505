import type { ProblemAt } from "../api/problem";
import { below } from "../format/place";

/** Findings at the fields that they are about: what is missing is said of the object around it, and shown where it is to be. */
export function placed(problems: readonly ProblemAt[]): ProblemAt[] {
  return problems.map((problem) => {
    const missing = /^`([^`]+)` is missing/.exec(problem.message)?.[1];
    return missing === undefined ? problem : { ...problem, pointer: below(problem.pointer, missing) };
  });
}
