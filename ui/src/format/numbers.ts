/** Digits in groups, exact below ten thousand; above, three digits that count. */
export function count(value: number | null | undefined): string {
  if (value == null) return "–";
  if (Math.abs(value) < 10_000) return grouped(value);
  for (const [size, unit] of [
    [1e12, "T"],
    [1e9, "G"],
    [1e6, "M"],
    [1e3, "k"],
  ] as const) {
    if (Math.abs(value) >= size) return `${short(value / size)} ${unit}`;
  }
  return grouped(value);
}

/** All digits, in groups: for what is copied or compared. */
export function grouped(value: number | null | undefined): string {
  return value == null ? "–" : value.toLocaleString("en-US", { maximumFractionDigits: 0 });
}

function short(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toFixed(1);
}

/** Messages a second. */
export function rate(perSecond: number | null | undefined): string {
  if (perSecond == null) return "–";
  if (perSecond === 0) return "0/s";
  if (perSecond < 10) return `${perSecond.toFixed(1)}/s`;
  return `${count(Math.round(perSecond))}/s`;
}

/** Bytes in units of 1,024. */
export function bytes(value: number | null | undefined): string {
  if (value == null) return "–";
  for (const [at, unit] of ["GiB", "MiB", "KiB"].entries()) {
    const size = 1024 ** (3 - at);
    if (value >= size) return `${short(value / size)} ${unit}`;
  }
  return `${value} B`;
}

/** One word or its plural. */
export function plural(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}
