import { Alert, Anchor, Group, List, Stack, Text } from "@mantine/core";
import { IconAffiliate, IconAlertTriangle } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { backlogsQuery, clusterQuery } from "../../api/overview";
import { asProblem } from "../../api/problem";
import { count, plural } from "../../format/numbers";
import { Failure } from "../../parts/Failure";
import { dashboardText } from "../../text/dashboard";
import { quorum } from "./quorum";

/** A node that has no such thing refuses with one of these; that is no failure. */
const WITHOUT = [404, 409, 422];

const isFailure = (error: unknown) => error != null && !WITHOUT.includes(asProblem(error).status);

/** How many nodes there are, and how many may still be lost. */
export function ClusterLine() {
  const query = useQuery(clusterQuery);
  if (!query.data)
    return isFailure(query.error) ? (
      <Failure error={query.error} retry={() => void query.refetch()} />
    ) : (
      <Text size="sm" aria-hidden>
        &nbsp;
      </Text>
    );
  const { alarming, sentence } = quorum(query.data);
  const line = (
    <Group gap={6} wrap="nowrap" align="flex-start">
      <IconAffiliate size={18} aria-hidden style={{ flexShrink: 0 }} />
      <Text size="sm">
        <Anchor component={Link} to="/cluster" inherit underline="always">
          {dashboardText.cluster.label}
        </Anchor>
        : {sentence}
      </Text>
    </Group>
  );
  if (!alarming) return line;
  return (
    <Alert color="red" icon={<IconAlertTriangle />} p="xs" data-testid="quorum">
      {line}
    </Alert>
  );
}

/** Messages on a disk that nobody reaches at present. */
export function Stranded() {
  const { data, error, refetch } = useQuery(backlogsQuery);
  if (isFailure(error) && !data) return <Failure error={error} retry={() => void refetch()} />;
  const stranded = data?.data.filter((stream) => stream.stranded && !stream.barred) ?? [];
  if (stranded.length === 0) return null;
  const words = dashboardText.stranded;
  return (
    <Alert
      color="red"
      icon={<IconAlertTriangle />}
      title={words.title(plural(stranded.length, "backlog"))}
      data-testid="stranded"
    >
      <Stack gap="xs">
        <List size="sm">
          {stranded.slice(0, 10).map(({ workflow, node, stream, messages }) => (
            <List.Item key={`${node} ${stream}`}>{words.stream(workflow, node, count(messages))}</List.Item>
          ))}
        </List>
        <Text size="sm">{words.hint}</Text>
        <Anchor component={Link} to="/cluster" size="sm">
          {words.more}
        </Anchor>
      </Stack>
    </Alert>
  );
}
