/** Which clock times are shown by. */
export type Zone = "local" | "UTC";

/** A span of time in its largest two units. */
export function span(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return minutes < 10 ? `${minutes} min ${seconds % 60} s` : `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** How long ago something was. */
export function ago(ms: number, nowMs: number): string {
  const passed = nowMs - ms;
  return passed < 1000 ? "now" : `${span(passed)} ago`;
}

const two = (value: number) => String(value).padStart(2, "0");

/** The time with date, seconds and zone. */
export function absolute(ms: number, zone: Zone): string {
  const time = new Date(ms);
  if (zone === "UTC")
    return time
      .toISOString()
      .replace("T", " ")
      .replace(/\.\d+Z$/, " UTC");
  const date = `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())}`;
  const clock = `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`;
  const minutes = -time.getTimezoneOffset();
  const offset = `${minutes < 0 ? "−" : "+"}${two(Math.floor(Math.abs(minutes) / 60))}:${two(Math.abs(minutes) % 60)}`;
  return `${date} ${clock} ${offset}`;
}

/** Hours, minutes, seconds. */
export function clock(ms: number, zone: Zone): string {
  return absolute(ms, zone).slice(11, 19);
}
