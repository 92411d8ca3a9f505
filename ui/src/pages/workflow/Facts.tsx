import { Group, SimpleGrid, Stack, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { findingsQuery, versionsQuery, type Held } from "../../api/workflows";
import type { Pulse } from "../../app/live";
import { focusField, Problems } from "../../forms/Problems";
import { count, grouped, rate } from "../../format/numbers";
import { Ago, At } from "../../parts/Time";
import { workflowText } from "../../text/workflows";

const text = workflowText.facts;

/** What is to be, what is saved, and what runs: three facts beside each other. */
export function Facts({ held, pulse }: { held: Held; pulse: Pulse | undefined }) {
  const { view, etag } = held;
  const status = pulse?.status ?? view.status;
  const { data: versions } = useQuery(versionsQuery(view.id));
  const { data: findings } = useQuery(findingsQuery(view.id, etag));
  const saved = versions?.data.find((each) => each.version === view.version);
  const runs = view.active ? status?.version : undefined;
  const facts: [string, ReactNode][] = [
    [text.run, view.active ? text.yes : text.no],
    [
      text.saved,
      <>
        v{view.version}{" "}
        {saved && (
          <Text span size="xs" c="dimmed">
            {text.savedBy(saved.author)} <Ago ms={saved.saved_at} />
          </Text>
        )}
      </>,
    ],
    [text.live, runs == null ? text.liveNone : `v${runs}`],
    [text.owner, view.owner ?? view.owner_id ?? "–"],
    [text.epoch, grouped(view.epoch)],
    [text.lease, <At key="lease" ms={view.lease_until} />],
    [text.in, rate(pulse?.inRate)],
    [text.buffered, count(status?.buffered)],
    [text.dead, count(status?.dead_letters)],
    [text.reported, <Ago key="reported" ms={status?.at_ms} />],
  ];
  return (
    <Stack component="section" gap="xs" mb="lg" aria-label={text.title}>
      <Title order={2}>{text.title}</Title>
      <SimpleGrid component="dl" cols={{ base: 2, sm: 3, lg: 5 }} spacing="sm" m={0}>
        {facts.map(([name, value]) => (
          <div
            key={name}
            style={{
              minWidth: 0,
              overflowWrap: "anywhere",
              // A time with its zone needs the room of two.
              ...(name === text.lease ? { gridColumn: "span 2" } : {}),
            }}
          >
            <Text component="dt" size="xs" c="dimmed">
              {name}
            </Text>
            <Text component="dd" m={0} size="sm">
              {value}
            </Text>
          </div>
        ))}
      </SimpleGrid>
      {runs != null && runs !== view.version && (
        <Group>
          <Text size="sm" fw={600}>
            {text.differs}
          </Text>
        </Group>
      )}
      {findings && (
        <Problems title={workflowText.text.known} problems={findings.problems} onGo={focusField} />
      )}
    </Stack>
  );
}
