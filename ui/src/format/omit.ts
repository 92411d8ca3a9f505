/** A copy without some of its members. */
export function omit<T extends object, Name extends keyof T>(value: T, ...names: Name[]): Omit<T, Name> {
  const copy = { ...value };
  for (const name of names) Reflect.deleteProperty(copy, name);
  return copy;
}
