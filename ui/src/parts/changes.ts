/** A value that somebody else has changed meanwhile. */
export interface Change {
  readonly what: string;
  readonly was: string;
  readonly is: string;
}

/** What differs between the version that an edit began with and the present one. */
export function changesOf<T>(
  began: T,
  present: T,
  fields: readonly (readonly [string, (version: T) => string])[],
): Change[] {
  return fields
    .map(([what, of]) => ({ what, was: of(began), is: of(present) }))
    .filter(({ was, is }) => was !== is);
}
