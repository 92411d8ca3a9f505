import { Alert, Badge, Code, Text, Textarea } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { IconAlertTriangle } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { declareLost, type Backlog } from "../../api/cluster";
import { grouped } from "../../format/numbers";
import { Confirm } from "../../parts/Confirm";
import { Empty } from "../../parts/Empty";
import { ActionButton } from "../../parts/Action";
import { StackTable, type Column } from "../../parts/StackTable";
import { Ago } from "../../parts/Time";
import { cluster as words } from "../../text/cluster";
import { byNeed, messagesOf, standingOf } from "./words";

const LOOKS = {
  stranded: { color: "red", shape: "◆" },
  barred: { color: "gray", shape: "✕" },
  inUse: { color: "teal", shape: "●" },
} as const;

function Standing({ backlog }: { backlog: Backlog }) {
  const standing = standingOf(backlog);
  const { color, shape } = LOOKS[standing];
  return (
    <Badge variant="outline" tt="none" color={color} leftSection={<span aria-hidden>{shape}</span>}>
      {words[standing]}
    </Badge>
  );
}

/** What waits on disks; stranded streams first, since they need a person. */
export function Backlogs({ backlogs }: { backlogs: readonly Backlog[] }) {
  const [losing, setLosing] = useState<Backlog>();
  if (backlogs.length === 0) return <Empty title={words.noBacklogs}>{words.noBacklogsHint}</Empty>;
  const stranded = backlogs.filter((backlog) => standingOf(backlog) === "stranded");
  const columns: Column<Backlog>[] = [
    {
      key: "workflow",
      label: words.workflow,
      cell: (backlog) => (
        <Text span fw={600} size="sm">
          {backlog.workflow}
        </Text>
      ),
    },
    { key: "state", label: words.state, cell: (backlog) => <Standing backlog={backlog} /> },
    { key: "node", label: words.owner, cell: (backlog) => backlog.node },
    { key: "messages", label: words.messages, end: true, cell: (backlog) => grouped(backlog.messages) },
    { key: "reported", label: words.reported, cell: (backlog) => <Ago ms={backlog.reported_ms} /> },
    {
      key: "stream",
      label: words.stream,
      cell: (backlog) => <Code style={{ overflowWrap: "anywhere" }}>{backlog.stream}</Code>,
    },
    {
      key: "actions",
      label: words.actions,
      quiet: true,
      end: true,
      cell: (backlog) =>
        standingOf(backlog) === "stranded" && (
          <ActionButton
            operation="declareLost"
            role="Administrator"
            size="xs"
            variant="light"
            color="red"
            onClick={() => setLosing(backlog)}
          >
            {words.lose}
          </ActionButton>
        ),
    },
  ];
  return (
    <>
      {stranded.length > 0 && (
        <Alert
          color="red"
          variant="outline"
          icon={<IconAlertTriangle />}
          title={words.strandedSum(stranded.length, messagesOf(stranded))}
        >
          {words.backlogsHint}
        </Alert>
      )}
      <StackTable
        label={words.backlogs}
        rows={byNeed(backlogs)}
        columns={columns}
        rowKey={(backlog) => `${backlog.node} ${backlog.workflow} ${backlog.stream}`}
      />
      {losing && <Lose backlog={losing} onClose={() => setLosing(undefined)} />}
    </>
  );
}

/** Asks for a reason and for the workflow's name: what is declared lost never comes back. */
function Lose({ backlog, onClose }: { backlog: Backlog; onClose: () => void }) {
  const client = useQueryClient();
  const [reason, setReason] = useState("");
  const [isMissing, setMissing] = useState(false);
  const { workflow, stream, node, messages } = backlog;
  const change = useMutation({
    mutationFn: () => declareLost({ workflow, stream, reason: reason.trim() }),
    onSuccess: () => {
      notifications.show({ message: words.loseDone(workflow) });
      onClose();
    },
    onSettled: () => client.invalidateQueries({ queryKey: ["backlogs"] }),
  });
  return (
    <Confirm
      danger
      title={words.loseTitle(workflow)}
      submit={words.lose}
      typed={workflow}
      pending={change.isPending}
      error={change.error}
      onConfirm={() => {
        setMissing(reason.trim() === "");
        if (reason.trim() !== "") change.mutate();
      }}
      onClose={onClose}
    >
      <Text size="sm">
        {messages == null ? words.loseUnknown(node) : words.loseEffect(grouped(messages), node)}
      </Text>
      <Code block style={{ whiteSpace: "pre-wrap", overflowWrap: "anywhere" }}>
        {stream}
      </Code>
      <Textarea
        label={words.reason}
        description={words.reasonHint}
        value={reason}
        maxLength={1000}
        autosize
        minRows={2}
        error={isMissing && reason.trim() === "" ? words.reasonMissing : undefined}
        onChange={(event) => setReason(event.currentTarget.value)}
      />
    </Confirm>
  );
}
