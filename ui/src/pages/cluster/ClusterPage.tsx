import { Alert, Stack, Text, Title } from "@mantine/core";
import { IconAlertTriangle, IconPlugConnectedX } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { backlogsQuery, clusterQuery, workersQuery, type Cluster } from "../../api/cluster";
import { useNow } from "../../app/clock";
import { span } from "../../format/time";
import { Loaded } from "../../parts/Loaded";
import { Page } from "../../parts/Page";
import { cluster as words } from "../../text/cluster";
import { Backlogs } from "./Backlogs";
import { Leases } from "./Leases";
import { Nodes } from "./Nodes";
import { useSilent } from "./useSilent";
import { Workers } from "./Workers";
import { quorum } from "./words";

/** The nodes, what each of them holds, and how much more may be lost. */
export function ClusterPage() {
  const cluster = useQuery(clusterQuery);
  const workers = useQuery(workersQuery);
  const backlogs = useQuery(backlogsQuery);
  const isSilent = useSilent(cluster.dataUpdatedAt);
  // Said once for the page: each part would say the same.
  const quiet = <T,>(query: T & { data: unknown; error: unknown }): T =>
    isSilent && query.data !== undefined ? { ...query, error: null } : query;
  return (
    <Page title={words.title}>
      <div role="status" aria-live="polite">
        {isSilent && <Silent sinceMs={cluster.dataUpdatedAt} />}
      </div>
      <Stack gap="xl" style={isSilent ? { opacity: 0.75 } : undefined}>
        <Loaded query={quiet(cluster)}>
          {(found) => (
            <>
              <Quorum cluster={found} />
              <Section title={words.nodes}>
                <Nodes cluster={found} heardAtMs={cluster.dataUpdatedAt} backlogs={backlogs.data?.data} />
              </Section>
            </>
          )}
        </Loaded>
        <Section title={words.workers}>
          <Loaded query={quiet(workers)}>{(found) => <Workers workers={found.data} />}</Loaded>
        </Section>
        <Section title={words.leases}>
          <Leases quiet={quiet} />
        </Section>
        <Section title={words.backlogs}>
          <Loaded query={quiet(backlogs)}>{(found) => <Backlogs backlogs={found.data} />}</Loaded>
        </Section>
      </Stack>
    </Page>
  );
}

function Section({ title, children }: { title: string; children: ReactNode }) {
  return (
    <Stack gap="xs" component="section">
      <Title order={2}>{title}</Title>
      {children}
    </Stack>
  );
}

function Silent({ sinceMs }: { sinceMs: number }) {
  const now = useNow();
  return (
    <Alert color="yellow" icon={<IconPlugConnectedX />} p="xs" data-testid="silent">
      {words.silent(span(Math.max(now - sinceMs, 2_000)))}
    </Alert>
  );
}

function Quorum({ cluster }: { cluster: Cluster }) {
  const said = [
    quorum(cluster),
    // A store without terms has no leader either.
    ...(cluster.term == null ? [] : [words.leader(cluster.leader), words.term(cluster.term)]),
    words.askedOf(cluster.node),
  ];
  if (!cluster.writable)
    return (
      <Alert color="red" icon={<IconAlertTriangle />} title={words.readOnly} role="alert">
        {[words.readOnlyHint, ...said].join(" ")}
      </Alert>
    );
  return (
    <Text data-testid="quorum">
      <strong>{said[0]}</strong> {said.slice(1).join(" ")} {words.writable}
    </Text>
  );
}
