import { Badge, Text } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { setDraining, type Worker } from "../../api/cluster";
import { count } from "../../format/numbers";
import { Empty } from "../../parts/Empty";
import { Failure } from "../../parts/Failure";
import { ActionButton } from "../../parts/Action";
import { StackTable, type Column } from "../../parts/StackTable";
import { Ago } from "../../parts/Time";
import { cluster as words } from "../../text/cluster";

const LOOKS = {
  draining: { color: "yellow", shape: "↻" },
  alive: { color: "teal", shape: "●" },
  gone: { color: "gray", shape: "?" },
} as const;

function State({ worker }: { worker: Worker }) {
  const states = [worker.alive ? "alive" : "gone", ...(worker.draining ? ["draining"] : [])] as const;
  return states.map((state) => {
    const look = LOOKS[state as keyof typeof LOOKS];
    return (
      <Badge
        key={state}
        variant="outline"
        tt="none"
        mr={4}
        color={look.color}
        leftSection={<span aria-hidden>{look.shape}</span>}
      >
        {words[state as keyof typeof LOOKS]}
      </Badge>
    );
  });
}

/** Those who run workflows. Draining can be taken back, so nothing is asked before. */
export function Workers({ workers }: { workers: readonly Worker[] }) {
  const client = useQueryClient();
  const change = useMutation({
    mutationFn: ({ worker, draining }: { worker: Worker; draining: boolean }) =>
      setDraining(worker.id, draining),
    onSuccess: (worker) => {
      const said = worker.draining ? words.drainDone : words.resumeDone;
      notifications.show({ message: said(worker.name) });
    },
    onSettled: () => client.invalidateQueries({ queryKey: ["workers"] }),
  });
  if (workers.length === 0) return <Empty title={words.noWorkers}>{words.noWorkersHint}</Empty>;
  const columns: Column<Worker>[] = [
    {
      key: "worker",
      label: words.worker,
      cell: (worker) => (
        <Text span fw={600} size="sm" title={worker.id}>
          {worker.name}
        </Text>
      ),
    },
    { key: "state", label: words.state, cell: (worker) => <State worker={worker} /> },
    { key: "seen", label: words.seen, cell: (worker) => <Ago ms={worker.seen_at} /> },
    { key: "held", label: words.held, end: true, cell: (worker) => count(worker.workflows) },
    {
      key: "actions",
      label: words.actions,
      quiet: true,
      end: true,
      cell: (worker) => (
        <ActionButton
          operation={worker.draining ? "resumeWorker" : "drainWorker"}
          role="Administrator"
          size="xs"
          variant="default"
          loading={change.isPending && change.variables.worker.id === worker.id}
          aria-label={`${worker.draining ? words.resume : words.drain} ${worker.name}`}
          onClick={() => change.mutate({ worker, draining: !worker.draining })}
        >
          {worker.draining ? words.resume : words.drain}
        </ActionButton>
      ),
    },
  ];
  return (
    <>
      {change.error && <Failure error={change.error} />}
      <StackTable label={words.workers} rows={workers} columns={columns} rowKey={(worker) => worker.id} />
    </>
  );
}
