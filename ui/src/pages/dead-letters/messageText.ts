/** So much of a message is shown; a larger one would hold up the page. */
export const PREVIEW_CHARS_MAX = 64 * 1024;

const SPACE = /\s/;

/** Returns the position behind the string that begins at `at`. */
function afterString(json: string, at: number): number {
  let end = at + 1;
  while (end < json.length && json[end] !== '"') end += json[end] === "\\" ? 2 : 1;
  return Math.min(end + 1, json.length);
}

/** Returns the position behind the value that begins at `at`. */
function afterValue(json: string, at: number): number {
  let depth = 0;
  let end = at;
  while (end < json.length) {
    const char = json[end];
    if (char === '"') {
      end = afterString(json, end);
      if (depth === 0) return end;
      continue;
    }
    if (char === "{" || char === "[") depth += 1;
    if (char === "}" || char === "]") {
      if (depth === 0) return end;
      depth -= 1;
      if (depth === 0) return end + 1;
    }
    if (char === "," && depth === 0) return end;
    end += 1;
  }
  return end;
}

/**
 * Returns the text of a member of a JSON object, character for character as it stands there: reading and writing it
 * anew would round large numbers.
 */
export function memberText(json: string, name: string): string | undefined {
  let at = json.indexOf("{") + 1;
  while (at > 0 && at < json.length) {
    while (at < json.length && (SPACE.test(json.charAt(at)) || json[at] === ",")) at += 1;
    if (json[at] !== '"') return undefined;
    const afterName = afterString(json, at);
    const found = json.slice(at + 1, afterName - 1);
    at = json.indexOf(":", afterName) + 1;
    while (SPACE.test(json.charAt(at))) at += 1;
    const end = afterValue(json, at);
    if (found === name) return json.slice(at, end).trimEnd();
    at = end;
  }
  return undefined;
}

/** Adds line breaks and indentation between the tokens of JSON, and changes nothing else. What is cut off may end anywhere. */
export function indented(json: string): string {
  let out = "";
  let depth = 0;
  let at = 0;
  const line = () => `\n${"  ".repeat(depth)}`;
  while (at < json.length) {
    const char = json.charAt(at);
    if (char === '"') {
      const end = afterString(json, at);
      out += json.slice(at, end);
      at = end;
      continue;
    }
    at += 1;
    if (SPACE.test(char)) continue;
    if (char === "{" || char === "[") {
      let next = at;
      while (SPACE.test(json.charAt(next))) next += 1;
      const closing = char === "{" ? "}" : "]";
      if (json[next] === closing) {
        out += char + closing;
        at = next + 1;
      } else {
        depth += 1;
        out += char + line();
      }
    } else if (char === "}" || char === "]") {
      depth = Math.max(0, depth - 1);
      out += line() + char;
    } else if (char === ",") out += char + line();
    else if (char === ":") out += ": ";
    else out += char;
  }
  return out;
}

/** Returns the beginning of a text, not cut within a character. */
export function preview(text: string): string {
  if (text.length <= PREVIEW_CHARS_MAX) return text;
  const last = text.charCodeAt(PREVIEW_CHARS_MAX - 1);
  const isHalf = last >= 0xd800 && last < 0xdc00;
  return text.slice(0, isHalf ? PREVIEW_CHARS_MAX - 1 : PREVIEW_CHARS_MAX);
}
