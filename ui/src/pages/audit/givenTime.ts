import type { Zone } from "../../format/time";

/** Below it a number is of seconds, else of milliseconds: as milliseconds it would be in 1973. */
const SECONDS_BELOW = 100_000_000_000;

const PARTS =
  /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?)?\s*(UTC|Z|[+\-−]\d\d:?\d\d)?$/i;

/**
 * Reads a time that somebody typed or pasted: RFC 3339, the form that pages show, a date, or seconds or milliseconds
 * since 1970. Without a zone it is of the clock that pages show times by. `undefined` is no time.
 */
export function givenTime(text: string, zone: Zone): number | undefined {
  const given = text.trim();
  if (/^\d{9,13}$/.test(given)) {
    const number = Number(given);
    return number < SECONDS_BELOW ? number * 1000 : number;
  }
  const parts = PARTS.exec(given);
  if (!parts) return undefined;
  const [, year, month, day, hour = "00", minute = "00", second = "00", fraction = "", offset] = parts;
  const written = `${year ?? ""}-${month ?? ""}-${day ?? ""}T${hour}:${minute}:${second}`;
  const ms = `.${fraction.slice(0, 3).padEnd(3, "0")}`;
  const at = Date.parse(written + ms + suffix(offset, zone));
  if (Number.isNaN(at)) return undefined;
  // A day that the month does not have would be read as one of the next.
  return new Date(`${written}Z`).toISOString().startsWith(written) ? at : undefined;
}

function suffix(offset: string | undefined, zone: Zone): string {
  if (offset === undefined) return zone === "UTC" ? "Z" : "";
  if (/^(UTC|Z)$/i.test(offset)) return "Z";
  const sign = offset.startsWith("+") ? "+" : "-";
  const digits = offset.replaceAll(/\D/g, "");
  return `${sign}${digits.slice(0, 2)}:${digits.slice(2)}`;
}
