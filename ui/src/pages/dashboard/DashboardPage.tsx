import { Anchor, Button, Stack, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { Schemas } from "../../api/client";
import { allWorkflowsQuery } from "../../api/overview";
import { useMay } from "../../app/session";
import { useJudged, type Judged } from "../../app/verdicts";
import { count } from "../../format/numbers";
import { Empty } from "../../parts/Empty";
import { Loaded } from "../../parts/Loaded";
import { Page } from "../../parts/Page";
import { dashboardText } from "../../text/dashboard";
import { text } from "../../text/en";
import { ClusterLine, Stranded } from "./Fleet";
import { grouped } from "./order";
import { VerdictCard } from "./VerdictCard";

/** So many of a group are shown; the rest is in the list. All that need a person are more important than the others. */
const SHOWN = { attention: 200, calm: 50 };

/** What needs a person first: one sentence for each workflow. */
export function DashboardPage() {
  const query = useQuery(allWorkflowsQuery);
  return (
    <Page title={text.nav.dashboard}>
      <ClusterLine />
      <Stranded />
      <Loaded query={query}>{(workflows) => <Verdicts workflows={workflows} />}</Loaded>
    </Page>
  );
}

function Verdicts({ workflows }: { workflows: readonly Schemas["WorkflowView"][] }) {
  const judged = useJudged(workflows);
  if (judged.length === 0) return <First />;
  const { attention, inOrder, notRunning } = grouped(judged);
  const problems = attention.length;
  return (
    <>
      <Text fw={600} role="status" data-testid="summary">
        {dashboardText.summary(problems, judged.length)}
      </Text>
      <Group title={dashboardText.attention} judged={attention} limit={SHOWN.attention} />
      <Group title={dashboardText.inOrder} judged={inOrder} limit={SHOWN.calm} />
      <Group title={dashboardText.notRunning} judged={notRunning} limit={SHOWN.calm} />
    </>
  );
}

function Group({ title, judged, limit }: { title: string; judged: readonly Judged[]; limit: number }) {
  if (judged.length === 0) return null;
  const hidden = judged.length - limit;
  return (
    <Stack gap="xs" component="section" aria-label={title}>
      <Title order={2}>{title}</Title>
      {judged.slice(0, limit).map((each) => (
        <VerdictCard key={each.workflow.id} {...each} />
      ))}
      {hidden > 0 && (
        <Anchor component={Link} to="/workflows" size="sm">
          {dashboardText.more(count(hidden))}
        </Anchor>
      )}
    </Stack>
  );
}

/** There is no workflow yet. */
function First() {
  const may = useMay();
  const words = dashboardText.empty;
  const title = text.state.none("workflow");
  if (!may("createWorkflow"))
    return (
      <Empty title={title}>
        {words.hint} {words.denied}
      </Empty>
    );
  return (
    <Empty
      title={title}
      action={
        <Button component={Link} to="/workflows">
          {words.action}
        </Button>
      }
    >
      {words.hint}
    </Empty>
  );
}
