import { Button, Group, Progress, Text } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useRef, useState } from "react";
import { changeLetters, type Action, type LetterFilter } from "../../api/deadLetters";
import { workflowsQuery } from "../../api/queries";
import { useLive } from "../../app/live";
import { Confirm } from "../../parts/Confirm";
import { deadLetters as words } from "../../text/deadLetters";
import type { Done } from "./Result";
import { carryOut, orders, type Outcome, type Picked } from "./selection";

interface Props {
  action: Action;
  picked: Picked;
  workflow: string;
  filter: LetterFilter;
  nodes: readonly string[];
  openTotal: number | undefined;
  onClose: () => void;
  onDone: (done: Done) => void;
}

/** The version that runs, as the stream or else the list says. */
function useRunningVersion(workflow: string): number | null | undefined {
  const pulse = useLive((live) => live.pulses[workflow]);
  const { data } = useQuery(workflowsQuery({ search: workflow, limit: 200 }));
  const status = pulse?.status ?? data?.data.find((each) => each.id === workflow)?.status;
  return status?.version;
}

/** Says what will be done and to how many, does it node by node, and can end between two nodes. */
export function ChangeDialog(props: Props) {
  const { action, picked, workflow, filter, nodes, openTotal, onClose, onDone } = props;
  const client = useQueryClient();
  const version = useRunningVersion(workflow);
  const [sofar, setSofar] = useState<readonly Outcome[]>([]);
  const stopped = useRef(false);
  const list = orders(picked, filter, nodes);
  const number = picked.all ? openTotal : picked.names.size;
  const change = useMutation({
    mutationFn: () =>
      carryOut(
        list,
        (selection) => changeLetters(action, workflow, selection),
        setSofar,
        () => stopped.current,
      ),
    onSuccess: (outcomes) => {
      const rest = list.slice(outcomes.length).map((order) => order.node);
      onDone({ action, outcomes, notAsked: rest });
    },
    onSettled: () => {
      void client.invalidateQueries({ queryKey: ["dead-letters", workflow] });
      void client.invalidateQueries({ queryKey: ["workflows"] });
    },
  });
  const narrowing = (["sink", "kind", "node"] as const)
    .filter((name) => picked.all && filter[name] !== undefined)
    .map((name) => `${words[name].toLowerCase()} ${filter[name] ?? ""}`);
  const title = words.ask[action](words.chosen(number), workflow);
  return (
    <Confirm
      title={title}
      submit={words.act[action]}
      danger={action === "discard"}
      typed={action === "discard" && picked.all ? workflow : undefined}
      pending={change.isPending}
      error={change.error}
      onConfirm={() => change.mutate()}
      onClose={change.isPending ? () => (stopped.current = true) : onClose}
    >
      {narrowing.length > 0 && <Text size="sm">{words.ofFilter(narrowing.join(", "))}</Text>}
      <Text size="sm">
        {action === "replay"
          ? words.replayEffect(version == null ? "–" : String(version))
          : words.discardEffect}
      </Text>
      {picked.all && <Text size="sm">{words.allNote}</Text>}
      <Text size="sm" c="dimmed">
        {words.perNode([...new Set(list.map((order) => order.node))].join(", "))}
      </Text>
      {change.isPending && list.length > 1 && (
        <Group gap="xs" role="status">
          <Progress value={(sofar.length / list.length) * 100} flex={1} aria-hidden />
          <Text size="sm">{words.progress(sofar.length, list.length)}</Text>
          <Button size="xs" variant="default" onClick={() => (stopped.current = true)}>
            {words.stop}
          </Button>
        </Group>
      )}
    </Confirm>
  );
}
