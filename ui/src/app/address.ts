/** Returns what an address says, without some of its names. */
export function without<T extends object, K extends keyof T>(search: T, ...names: readonly K[]): Omit<T, K> {
  const rest = { ...search };
  for (const name of names) Reflect.deleteProperty(rest, name);
  return rest;
}

/** Reads a text of an address; one that looks like a number was read as one by the router. */
export function said<N extends string>(search: Record<string, unknown>, name: N): { [K in N]?: string } {
  const value = search[name];
  const text = typeof value === "number" ? String(value) : value;
  return (typeof text === "string" && text !== "" ? { [name]: text } : {}) as { [K in N]?: string };
}
