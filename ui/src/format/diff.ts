/** One line of a comparison. */
export interface DiffLine {
  readonly kind: "same" | "gone" | "new";
  readonly text: string;
  /** Its line number before and after, from 1. */
  readonly before?: number;
  readonly after?: number;
}

/** Beyond so many comparisons a changed stretch is shown as replaced as a whole. */
const CELLS_MAX = 4_000_000;

/** Compares two texts line by line. */
export function diffLines(before: string, after: string): DiffLine[] {
  const a = before.split("\n");
  const b = after.split("\n");
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head += 1;
  let tail = 0;
  while (tail < a.length - head && tail < b.length - head && a.at(-1 - tail) === b.at(-1 - tail)) tail += 1;
  const lines: DiffLine[] = [];
  const same = (at: number, other: number) =>
    lines.push({ kind: "same", text: a[at] ?? "", before: at + 1, after: other + 1 });
  const gone = (at: number) => lines.push({ kind: "gone", text: a[at] ?? "", before: at + 1 });
  const fresh = (at: number) => lines.push({ kind: "new", text: b[at] ?? "", after: at + 1 });
  for (let at = 0; at < head; at += 1) same(at, at);
  const [ends, otherEnds] = [a.length - tail, b.length - tail];
  const kept = common(a.slice(head, ends), b.slice(head, otherEnds));
  let [at, other] = [head, head];
  for (const [keptAt, keptOther] of [...kept, [ends - head, otherEnds - head] as const]) {
    while (at < head + keptAt) gone(at++);
    while (other < head + keptOther) fresh(other++);
    if (at < ends && other < otherEnds) same(at++, other++);
  }
  for (let rest = 0; rest < tail; rest += 1) same(ends + rest, otherEnds + rest);
  return lines;
}

/** The longest sequence of lines that both have, as pairs of places. */
function common(a: readonly string[], b: readonly string[]): [number, number][] {
  if (a.length * b.length > CELLS_MAX) return [];
  const width = b.length + 1;
  const best = new Uint32Array((a.length + 1) * width);
  const cell = (at: number, other: number) => best[at * width + other] ?? 0;
  for (let at = a.length - 1; at >= 0; at -= 1) {
    for (let other = b.length - 1; other >= 0; other -= 1) {
      best[at * width + other] =
        a[at] === b[other] ? cell(at + 1, other + 1) + 1 : Math.max(cell(at + 1, other), cell(at, other + 1));
    }
  }
  const pairs: [number, number][] = [];
  let [at, other] = [0, 0];
  while (at < a.length && other < b.length) {
    if (a[at] === b[other]) pairs.push([at++, other++]);
    else if (cell(at + 1, other) >= cell(at, other + 1)) at += 1;
    else other += 1;
  }
  return pairs;
}

/** Lines that changed, with so many around them; `null` stands for lines left out. */
export function excerpt(lines: readonly DiffLine[], around = 3): (DiffLine | null)[] {
  const near = (at: number) =>
    lines.slice(Math.max(0, at - around), at + around + 1).some((line) => line.kind !== "same");
  const shown: (DiffLine | null)[] = [];
  lines.forEach((line, at) => {
    if (near(at)) shown.push(line);
    else if (shown.length === 0 || shown.at(-1) !== null) shown.push(null);
  });
  return shown;
}
