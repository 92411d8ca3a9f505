import { Alert, Stack, Text } from "@mantine/core";
import { IconAlertTriangle, IconCheck } from "@tabler/icons-react";
import type { Action } from "../../api/deadLetters";
import { count } from "../../format/numbers";
import { Failure } from "../../parts/Failure";
import { StackTable, type Column } from "../../parts/StackTable";
import { deadLetters as words } from "../../text/deadLetters";
import { answered, type Outcome } from "./selection";

export interface Done {
  readonly action: Action;
  readonly outcomes: readonly Outcome[];
  readonly notAsked: readonly string[];
}

const columns = (action: Action): Column<Outcome>[] => {
  const figure = (of: "changed" | "skipped" | "failed") => (outcome: Outcome) =>
    count(answered(outcome) ? outcome.changed?.[of] : undefined);
  return [
    {
      key: "node",
      label: words.result.node,
      cell: (outcome) =>
        answered(outcome) ? outcome.node : `${outcome.node}: ${words.result.unknown(outcome.problem)}`,
    },
    { key: "changed", label: words.result.changed[action], end: true, cell: figure("changed") },
    { key: "skipped", label: words.result.skipped, end: true, cell: figure("skipped") },
    { key: "failed", label: words.result.failed, end: true, cell: figure("failed") },
  ];
};

/** Tells what came of it, node by node: done, skipped, failed and not known are four things. */
export function Result({ done, onClose }: { done: Done; onClose: () => void }) {
  const { action, outcomes, notAsked } = done;
  const inOrder =
    notAsked.length === 0 && outcomes.every((outcome) => answered(outcome) && outcome.changed?.failed === 0);
  return (
    <Alert
      color={inOrder ? "teal" : "yellow"}
      icon={inOrder ? <IconCheck /> : <IconAlertTriangle />}
      title={words.result.title[action]}
      role="status"
      withCloseButton
      closeButtonLabel={words.result.close}
      onClose={onClose}
      data-testid="result"
    >
      <Stack gap="xs">
        <StackTable
          label={words.result.title[action]}
          rows={outcomes.map((outcome, at) => ({ ...outcome, at }))}
          columns={columns(action)}
          rowKey={(outcome) => `${outcome.at} ${outcome.node}`}
        />
        {notAsked.length > 0 && <Text size="sm">{words.result.notAsked(notAsked.join(", "))}</Text>}
        {!inOrder && <Text size="sm">{words.result.hint}</Text>}
        {outcomes
          .filter((outcome) => outcome.problem)
          .map((outcome) => (
            <Failure key={outcome.node} error={outcome.problem} />
          ))}
      </Stack>
    </Alert>
  );
}
