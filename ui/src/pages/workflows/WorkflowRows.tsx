import { ActionIcon, Anchor, Card, Group, Menu, Stack, Table, Text } from "@mantine/core";
import { useMediaQuery } from "@mantine/hooks";
import { IconDots } from "@tabler/icons-react";
import { Link } from "@tanstack/react-router";
import { memo, useState, type ReactNode } from "react";
import type { Workflow } from "../../api/workflows";
import { useJudged, type Judged } from "../../app/verdicts";
import { ActionItem } from "../../parts/Action";
import { count, rate } from "../../format/numbers";
import { Failure } from "../../parts/Failure";
import { Ago } from "../../parts/Time";
import { waitingMessages } from "../../status/states";
import { StandingBadge } from "../../status/StandingBadge";
import { text as base } from "../../text/en";
import { workflowText as text } from "../../text/workflows";
import { DeleteDialog } from "./DeleteDialog";
import { useExport } from "./export";
import { StartStop } from "./StartStop";
import { versionWords } from "./versionWords";

/** The rows of the list: a table where there is room, cards where there is none. */
export function WorkflowRows({ workflows }: { workflows: readonly Workflow[] }) {
  const judged = useJudged(workflows);
  const wide = useMediaQuery("(min-width: 62em)", true, { getInitialValueInEffect: false });
  if (!wide) {
    return (
      <Stack gap="xs">
        {judged.map((each) => (
          <RowCard key={each.workflow.id} {...each} />
        ))}
      </Stack>
    );
  }
  return (
    <Table highlightOnHover aria-label={base.nav.workflows} verticalSpacing="xs">
      <Table.Thead>
        <Table.Tr>
          <Table.Th>{text.column.id}</Table.Th>
          <Table.Th>{text.column.version}</Table.Th>
          <Table.Th>{text.column.owner}</Table.Th>
          <Table.Th ta="right">{text.column.rate}</Table.Th>
          <Table.Th ta="right">{text.column.waiting}</Table.Th>
          <Table.Th>{text.column.changed}</Table.Th>
          <Table.Th ta="right">{text.column.actions}</Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {judged.map((each) => (
          <Row key={each.workflow.id} {...each} />
        ))}
      </Table.Tbody>
    </Table>
  );
}

function figures({ workflow, pulse }: Judged) {
  const status = pulse?.status ?? workflow.status;
  return {
    version: versionWords(workflow.version, status?.version, workflow.active),
    owner: workflow.owner ?? workflow.owner_id ?? "–",
    rate: rate(pulse?.inRate),
    waiting: count(status ? waitingMessages(status) : null),
  };
}

function Name({ workflow, verdict }: Judged) {
  return (
    <Stack gap={2}>
      <Group gap="xs">
        <StandingBadge standing={verdict.standing} />
        <Anchor
          component={Link}
          to="/workflows/$id"
          params={{ id: workflow.id } as never}
          fw={600}
          style={{ overflowWrap: "anywhere" }}
        >
          {workflow.id}
        </Anchor>
      </Group>
      {verdict.detail && (
        <Text size="sm" c="dimmed" style={{ overflowWrap: "anywhere" }}>
          {verdict.detail}
        </Text>
      )}
    </Stack>
  );
}

function Row(each: Judged) {
  const shown = figures(each);
  return (
    <Table.Tr data-workflow={each.workflow.id} data-standing={each.verdict.standing}>
      <Table.Td>
        <Name {...each} />
      </Table.Td>
      <Table.Td>{shown.version}</Table.Td>
      <Table.Td>{shown.owner}</Table.Td>
      <Table.Td ta="right">{shown.rate}</Table.Td>
      <Table.Td ta="right">{shown.waiting}</Table.Td>
      <Table.Td style={{ whiteSpace: "nowrap" }}>
        <Ago ms={each.workflow.changed_at} />
      </Table.Td>
      <Table.Td>
        <Actions workflow={each.workflow} />
      </Table.Td>
    </Table.Tr>
  );
}

function RowCard(each: Judged) {
  const shown = figures(each);
  const figure = (label: string, value: ReactNode) => (
    <Text size="sm">
      <Text span size="xs" c="dimmed">
        {label}{" "}
      </Text>
      {value}
    </Text>
  );
  return (
    <Card withBorder p="sm" data-workflow={each.workflow.id} data-standing={each.verdict.standing}>
      <Stack gap="xs">
        <Name {...each} />
        <Group gap="xs">
          {figure(text.column.rate, shown.rate)}
          {figure(text.column.waiting, shown.waiting)}
          {figure(text.column.owner, shown.owner)}
          {figure(text.column.changed, <Ago ms={each.workflow.changed_at} />)}
        </Group>
        <Group justify="space-between" gap="xs">
          <Text size="sm">{shown.version}</Text>
          <Actions workflow={each.workflow} />
        </Group>
      </Stack>
    </Card>
  );
}

/** Apart from the figures, which change twice a second. */
const Actions = memo(function Actions({ workflow }: { workflow: Workflow }) {
  const [deleting, setDeleting] = useState<Workflow>();
  const download = useExport(workflow.id);
  return (
    <>
      <Group gap={4} justify="flex-end" wrap="nowrap">
        <StartStop workflow={workflow} size="xs" />
        <Menu position="bottom-end">
          <Menu.Target>
            <ActionIcon variant="subtle" color="gray" size="md" aria-label={text.more(workflow.id)}>
              <IconDots size={16} />
            </ActionIcon>
          </Menu.Target>
          <Menu.Dropdown>
            <ActionItem operation="exportBundle" role="Viewer" onClick={() => download.mutate()}>
              {text.export}
            </ActionItem>
            <ActionItem operation="deleteWorkflow" color="red" onClick={() => setDeleting(workflow)}>
              {base.action.delete}
            </ActionItem>
          </Menu.Dropdown>
        </Menu>
      </Group>
      {download.error && <Failure error={download.error} />}
      {deleting && (
        <DeleteDialog
          workflow={deleting}
          onDone={() => setDeleting(undefined)}
          onClose={() => setDeleting(undefined)}
        />
      )}
    </>
  );
});
