import { Badge, Group, Text } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { lead, removeNode, type Backlog, type Cluster, type Member } from "../../api/cluster";
import { Confirm } from "../../parts/Confirm";
import { Empty } from "../../parts/Empty";
import { ActionButton } from "../../parts/Action";
import { StackTable, type Column } from "../../parts/StackTable";
import { Ago } from "../../parts/Time";
import { cluster as words } from "../../text/cluster";
import { isGroup, messagesOf } from "./words";

interface Props {
  cluster: Cluster;
  /** When the answer came, from which ages count. */
  heardAtMs: number;
  backlogs: readonly Backlog[] | undefined;
}

type Asked = { member: Member; what: "lead" | "remove" };

const ROLE_COLORS: Readonly<Record<string, string>> = { leader: "teal", candidate: "yellow" };

/** The members, with what an administrator can do to them. */
export function Nodes({ cluster, heardAtMs, backlogs }: Props) {
  const [asked, setAsked] = useState<Asked>();
  if (cluster.members.length === 0) return <Empty title={words.noNodes} />;
  const columns: Column<Member>[] = [
    {
      key: "name",
      label: words.name,
      cell: (member) => (
        <Group gap={6}>
          <Text span fw={600} size="sm" title={member.id}>
            {member.name}
          </Text>
          {member.name === cluster.node && (
            <Text span size="xs" c="dimmed">
              {words.here}
            </Text>
          )}
        </Group>
      ),
    },
    {
      key: "role",
      label: words.role,
      cell: (member) => (
        <Group gap={6}>
          <Badge variant="outline" tt="none" color={ROLE_COLORS[member.role] ?? "gray"}>
            {member.role}
          </Badge>
          {isGroup(cluster) && (
            <Text span size="xs" c="dimmed">
              {member.voter ? words.voter : words.noVoter}
            </Text>
          )}
        </Group>
      ),
    },
    {
      key: "heard",
      label: words.heard,
      cell: (member) => <Ago ms={member.heard_ms_ago == null ? null : heardAtMs - member.heard_ms_ago} />,
    },
    { key: "address", label: words.address, cell: (member) => member.address || "–" },
    { key: "version", label: words.version, cell: (member) => member.version ?? "–" },
  ];
  const actions: Column<Member> = {
    key: "actions",
    label: words.actions,
    quiet: true,
    end: true,
    cell: (member) => (
      <Group gap={6} justify="flex-end" wrap="nowrap">
        {member.voter && member.role !== "leader" && (
          <ActionButton
            operation="transferLeader"
            role="Administrator"
            size="xs"
            variant="default"
            onClick={() => setAsked({ member, what: "lead" })}
          >
            {words.lead}
          </ActionButton>
        )}
        <ActionButton
          operation="removeNode"
          role="Administrator"
          size="xs"
          variant="light"
          color="red"
          onClick={() => setAsked({ member, what: "remove" })}
        >
          {words.remove}
        </ActionButton>
      </Group>
    ),
  };
  const close = () => setAsked(undefined);
  return (
    <>
      <StackTable
        label={words.nodes}
        rows={cluster.members}
        columns={isGroup(cluster) ? [...columns, actions] : columns}
        rowKey={(member) => member.id}
      />
      {asked?.what === "lead" && <Lead member={asked.member} leader={cluster.leader} onClose={close} />}
      {asked?.what === "remove" && (
        <Remove member={asked.member} cluster={cluster} backlogs={backlogs} onClose={close} />
      )}
    </>
  );
}

function useChange(act: () => Promise<unknown>, done: string, onClose: () => void) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: act,
    onSuccess: () => {
      notifications.show({ message: done });
      onClose();
    },
    onSettled: () => client.invalidateQueries({ queryKey: ["cluster"] }),
  });
}

interface Leading {
  member: Member;
  leader: string | null | undefined;
  onClose: () => void;
}

function Lead({ member, leader, onClose }: Leading) {
  const change = useChange(() => lead(member.name), words.leadDone(member.name), onClose);
  return (
    <Confirm
      title={words.leadTitle(member.name)}
      submit={words.lead}
      pending={change.isPending}
      error={change.error}
      onConfirm={() => change.mutate()}
      onClose={onClose}
    >
      <Text size="sm">{words.leadEffect(leader)}</Text>
    </Confirm>
  );
}

interface Removing {
  member: Member;
  cluster: Cluster;
  backlogs: readonly Backlog[] | undefined;
  onClose: () => void;
}

function Remove({ member, cluster, backlogs, onClose }: Removing) {
  const change = useChange(() => removeNode(member.name), words.removeDone(member.name), onClose);
  const holds = (backlogs ?? []).filter(
    (backlog) => backlog.node === member.name && !backlog.barred && backlog.messages !== 0,
  );
  return (
    <Confirm
      danger
      title={words.removeTitle(member.name)}
      submit={words.remove}
      pending={change.isPending}
      error={change.error}
      onConfirm={() => change.mutate()}
      onClose={onClose}
    >
      <Text size="sm">{words.removeEffect(member.role, member.voter)}</Text>
      {holds.length > 0 && <Text size="sm">{words.removeHolds(holds.length, messagesOf(holds))}</Text>}
      <Text size="sm">{words.removeSurvives(cluster.survives)}</Text>
    </Confirm>
  );
}
