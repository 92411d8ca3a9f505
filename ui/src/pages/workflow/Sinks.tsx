import { Card, Group, Stack, Table, Text, Title } from "@mantine/core";
import type { Workflow } from "../../api/workflows";
import type { Pulse } from "../../app/live";
import { count, grouped, rate } from "../../format/numbers";
import { workflowText } from "../../text/workflows";

const text = workflowText.sinks;
type SinkState = NonNullable<Workflow["status"]>["sinks"][number];

/** Each sink by itself: what waits for it, how fast it takes, and why it does not. */
export function Sinks({ workflow, pulse }: { workflow: Workflow; pulse: Pulse | undefined }) {
  const sinks = (pulse?.status ?? workflow.status)?.sinks ?? [];
  const out = (id: string) => rate(pulse?.outRates[id]);
  return (
    <Stack component="section" gap="xs" mb="lg" aria-label={text.title}>
      <Title order={2}>{text.title}</Title>
      {sinks.length === 0 && <Text c="dimmed">{text.none}</Text>}
      {sinks.length > 0 && (
        <>
          <Table visibleFrom="sm" aria-label={text.title}>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>{text.sink}</Table.Th>
                <Table.Th>{text.state}</Table.Th>
                <Table.Th ta="right">{text.waiting}</Table.Th>
                <Table.Th ta="right">{text.rate}</Table.Th>
                <Table.Th ta="right">{text.next}</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {sinks.map((sink) => (
                <Table.Tr key={sink.id}>
                  <Table.Td>
                    {sink.id}{" "}
                    <Text span size="xs" c="dimmed">
                      {sink.type}
                    </Text>
                  </Table.Td>
                  <Table.Td style={{ overflowWrap: "anywhere" }}>{stateOf(sink)}</Table.Td>
                  <Table.Td ta="right">{count(sink.backlog)}</Table.Td>
                  <Table.Td ta="right">{out(sink.id)}</Table.Td>
                  <Table.Td ta="right">{grouped(sink.next)}</Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
          <Stack gap="xs" hiddenFrom="sm">
            {sinks.map((sink) => (
              <Card key={sink.id} withBorder p="sm">
                <Text fw={600} size="sm">
                  {sink.id}{" "}
                  <Text span size="xs" c="dimmed">
                    {sink.type}
                  </Text>
                </Text>
                <Text size="sm" style={{ overflowWrap: "anywhere" }}>
                  {stateOf(sink)}
                </Text>
                <Group gap="md">
                  <Text size="sm">
                    {text.waiting} {count(sink.backlog)}
                  </Text>
                  <Text size="sm">
                    {text.rate} {out(sink.id)}
                  </Text>
                </Group>
              </Card>
            ))}
          </Stack>
        </>
      )}
    </Stack>
  );
}

function stateOf(sink: SinkState): string {
  if (sink.blocked != null) return `⊘ ${text.blocked}: ${sink.blocked}`;
  return sink.lagging ? `↻ ${text.lagging}` : `● ${text.takes}`;
}
