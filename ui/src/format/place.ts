/** Where a value stands in a text of JSON. */
export interface Place {
  readonly from: number;
  readonly to: number;
  /** Its line, from 1. */
  readonly line: number;
}

/** The steps of a JSON pointer. */
export function steps(pointer: string): string[] {
  return pointer
    .split("/")
    .slice(1)
    .map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"));
}

/** A JSON pointer one step further. */
export function below(pointer: string, step: string | number): string {
  return `${pointer}/${String(step).replaceAll("~", "~0").replaceAll("/", "~1")}`;
}

/** Finds the value that a JSON pointer names, or the nearest one around it. `undefined` where the text is no JSON. */
export function placeOf(text: string, pointer: string): Place | undefined {
  const scan = new Scan(text);
  try {
    const [from, to] = scan.find(steps(pointer));
    return { from, to, line: text.slice(0, from).split("\n").length };
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

class Scan {
  private at = 0;

  constructor(private readonly text: string) {}

  /** Reads the value that begins here and returns where the one wanted stands, itself if nothing inside is. */
  find(wanted: readonly string[]): [number, number] {
    this.space();
    const from = this.at;
    const [first, ...rest] = wanted;
    let inside: [number, number] | undefined;
    const opened = this.text[this.at];
    if (opened === "{" || opened === "[") {
      const closing = opened === "{" ? "}" : "]";
      this.at += 1;
      for (let index = 0; !this.closes(closing); index += 1) {
        const name = opened === "{" ? this.name() : String(index);
        const found = this.find(name === first ? rest : []);
        if (name === first) inside = found;
        this.space();
        if (this.text[this.at] === ",") this.at += 1;
        else if (this.text[this.at] !== closing) throw new SyntaxError();
      }
    } else this.plain();
    return inside ?? [from, this.at];
  }

  private space(): void {
    while (/\s/.test(this.text[this.at] ?? "")) this.at += 1;
  }

  private closes(closing: string): boolean {
    this.space();
    if (this.text[this.at] !== closing) return false;
    this.at += 1;
    return true;
  }

  private name(): string {
    this.space();
    const from = this.at;
    this.plain();
    const name = JSON.parse(this.text.slice(from, this.at)) as unknown;
    this.space();
    if (this.text[this.at] !== ":") throw new SyntaxError();
    this.at += 1;
    return String(name);
  }

  private plain(): void {
    const rest = /"(?:[^"\\]|\\[^])*"|[^\s,:{}[\]"]+/y;
    rest.lastIndex = this.at;
    const found = rest.exec(this.text);
    if (!found) throw new SyntaxError();
    this.at += found[0].length;
  }
}
