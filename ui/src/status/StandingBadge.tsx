import { Badge } from "@mantine/core";
import { LOOKS, type Standing } from "./states";
import { WORDS } from "./verdict";

/** A state as colour, shape and word. */
export function StandingBadge({ standing }: { standing: Standing }) {
  const look = LOOKS[standing];
  return (
    <Badge
      color={look.color}
      variant={look.filled ? "filled" : "outline"}
      leftSection={<span aria-hidden>{look.shape}</span>}
      tt="none"
      style={{ flexShrink: 0 }}
    >
      {WORDS[standing]}
    </Badge>
  );
}
