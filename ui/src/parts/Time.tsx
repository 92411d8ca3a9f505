import { Text, Tooltip } from "@mantine/core";
import { useNow, useZone } from "../app/clock";
import { absolute, ago } from "../format/time";

/** How long ago something was; the time itself on hover, focus and copy. */
export function Ago({ ms }: { ms: number | string | null | undefined }) {
  const now = useNow();
  const zone = useZone((state) => state.zone);
  if (ms == null) return <Text span>–</Text>;
  const at = typeof ms === "string" ? Date.parse(ms) : ms;
  return (
    <Tooltip label={absolute(at, zone)}>
      <time dateTime={new Date(at).toISOString()} tabIndex={0}>
        {ago(at, now)}
      </time>
    </Tooltip>
  );
}

/** The time with its zone. */
export function At({ ms }: { ms: number | string | null | undefined }) {
  const zone = useZone((state) => state.zone);
  if (ms == null) return <Text span>–</Text>;
  const at = typeof ms === "string" ? Date.parse(ms) : ms;
  return (
    <time dateTime={new Date(at).toISOString()} style={{ whiteSpace: "nowrap" }}>
      {absolute(at, zone)}
    </time>
  );
}
