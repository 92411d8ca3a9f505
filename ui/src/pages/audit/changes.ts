import { isLosslessNumber, stringify } from "lossless-json";

/** What differs at one place. */
export interface Change {
  /** A JSON pointer. */
  readonly pointer: string;
  /** As JSON; `undefined` is absent. */
  readonly was: string | undefined;
  readonly is: string | undefined;
}

type Members = Readonly<Record<string, unknown>>;

/** A value as JSON; numbers keep their digits. */
export function written(value: unknown): string {
  return stringify(value) ?? "";
}

function members(value: unknown): Members | undefined {
  if (typeof value !== "object" || value === null || isLosslessNumber(value)) return undefined;
  return Array.isArray(value) ? Object.fromEntries(value.entries()) : (value as Members);
}

/** Finds where two values differ. */
export function changes(was: unknown, is: unknown, pointer = ""): Change[] {
  const before = members(was);
  const after = members(is);
  if (before === undefined || after === undefined || Array.isArray(was) !== Array.isArray(is)) {
    const [old, now] = [was, is].map((value) => (value === undefined ? undefined : written(value)));
    return old === now ? [] : [{ pointer, was: old, is: now }];
  }
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  return names.flatMap((name) => {
    const escaped = name.replaceAll("~", "~0").replaceAll("/", "~1");
    return changes(before[name], after[name], `${pointer}/${escaped}`);
  });
}

/** The details of an entry: what was before and after, and what else is said. */
export interface Details {
  readonly changed: readonly Change[];
  readonly hasBefore: boolean;
  readonly hasAfter: boolean;
  readonly others: readonly (readonly [string, string])[];
  readonly address: string | undefined;
}

/** Sorts the details of an entry. `NAME_before` beside `NAME` is a change too. */
export function detailsOf(details: unknown): Details {
  const all = members(details) ?? {};
  const { before, after, address } = all;
  const pairs = Object.keys(all).filter((name) => `${name}_before` in all);
  const paired = pairs.flatMap((name) => changes(all[`${name}_before`], all[name], `/${name}`));
  const taken = new Set(["before", "after", "address", ...pairs, ...pairs.map((name) => `${name}_before`)]);
  const others = Object.entries(all)
    .filter(([name]) => !taken.has(name))
    .map(([name, value]) => [name, typeof value === "string" ? value : written(value)] as const);
  return {
    changed: [...changes(before, after), ...paired],
    hasBefore: before !== undefined || pairs.length > 0,
    hasAfter: after !== undefined || pairs.length > 0,
    others,
    address: typeof address === "string" ? address : undefined,
  };
}
