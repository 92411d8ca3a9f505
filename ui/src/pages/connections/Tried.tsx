import { Alert, Text } from "@mantine/core";
import { IconCheck, IconX } from "@tabler/icons-react";
import type { Probe } from "../../api/connections";
import { count } from "../../format/numbers";
import { connectionText } from "../../text/connections";

const text = connectionText.test;

/** What came of a test: the step that failed, and why. */
export function Tried({ probe }: { probe: Probe }) {
  const took = `${count(probe.took_ms)} ms`;
  return (
    <Alert
      color={probe.ok ? "teal" : "red"}
      role={probe.ok ? "status" : "alert"}
      icon={probe.ok ? <IconCheck /> : <IconX />}
      title={probe.ok ? text.ok(probe.step, took) : text.failed(probe.step, took)}
      data-testid="tried"
    >
      {probe.message && <Text size="sm">{probe.message}</Text>}
    </Alert>
  );
}
