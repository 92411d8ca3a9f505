import { Button, Group, Paper, Tabs, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { workflowQuery, type Held, type Workflow } from "../../api/workflows";
import { useJudged } from "../../app/verdicts";
import { ActionButton } from "../../parts/Action";
import { Failure } from "../../parts/Failure";
import { Loaded } from "../../parts/Loaded";
import { Page } from "../../parts/Page";
import { StandingBadge } from "../../status/StandingBadge";
import { text as base } from "../../text/en";
import { workflowText as text } from "../../text/workflows";
import { DeleteDialog } from "../workflows/DeleteDialog";
import { useExport } from "../workflows/export";
import { StartStop } from "../workflows/StartStop";
import { Entry } from "./Entry";
import { Facts } from "./Facts";
import { Graph } from "./Graph";
import { TABS, type Tab, type WorkflowSearch } from "./search";
import { Sinks } from "./Sinks";
import { TextEdit } from "./TextEdit";
import { Versions } from "./Versions";

/** One workflow: how it is, what it is, what it was. */
export function WorkflowPage() {
  const { id } = useParams({ from: "/inside/workflows/$id" });
  const search = useSearch({ from: "/inside/workflows/$id" });
  const query = useQuery(workflowQuery(id));
  return (
    <Page title={id} actions={query.data && <Actions workflow={query.data.view} />}>
      <Loaded query={query}>{(held) => <Whole key={id} held={held} search={search} />}</Loaded>
    </Page>
  );
}

function Whole({ held, search }: { held: Held; search: WorkflowSearch }) {
  const { id } = held.view;
  const navigate = useNavigate();
  const [judged] = useJudged([held.view]);
  const { tab = "overview" } = search;
  const show = (next: Tab) =>
    void navigate({
      to: "/workflows/$id",
      params: { id },
      search: next === "overview" ? {} : { tab: next },
      replace: true,
    });
  return (
    <>
      {judged && (
        <Paper withBorder p="sm" data-standing={judged.verdict.standing} aria-live="polite">
          <Group gap="xs">
            <StandingBadge standing={judged.verdict.standing} />
            <Text style={{ flex: 1, minWidth: 200, overflowWrap: "anywhere" }}>{judged.verdict.detail}</Text>
          </Group>
        </Paper>
      )}
      <Tabs
        value={tab}
        onChange={(next) => {
          const found = TABS.find((each) => each === next);
          if (found) show(found);
        }}
        keepMounted={false}
      >
        <Tabs.List mb="md">
          {TABS.map((each) => (
            <Tabs.Tab key={each} value={each}>
              {text.tab[each]}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        <Tabs.Panel value="overview">
          <Entry workflow={held.view} document={held.document} />
          <Facts held={held} pulse={judged?.pulse} />
          <Sinks workflow={held.view} pulse={judged?.pulse} />
        </Tabs.Panel>
        <Tabs.Panel value="graph">
          <Graph document={held.document} />
        </Tabs.Panel>
        <Tabs.Panel value="versions">
          <Versions
            held={held}
            runs={judged?.pulse?.status.version ?? held.view.status?.version}
            search={search}
          />
        </Tabs.Panel>
        <Tabs.Panel value="text">
          <TextEdit held={held} />
        </Tabs.Panel>
      </Tabs>
    </>
  );
}

function Actions({ workflow }: { workflow: Workflow }) {
  const [deleting, setDeleting] = useState<Workflow>();
  const navigate = useNavigate();
  const download = useExport(workflow.id);
  return (
    <>
      <StartStop workflow={workflow} />
      <Button variant="default" loading={download.isPending} onClick={() => download.mutate()}>
        {text.export}
      </Button>
      <ActionButton operation="deleteWorkflow" variant="default" onClick={() => setDeleting(workflow)}>
        {base.action.delete}
      </ActionButton>
      {download.error && <Failure error={download.error} />}
      {deleting && (
        <DeleteDialog
          workflow={deleting}
          onDone={() => void navigate({ to: "/workflows" })}
          onClose={() => setDeleting(undefined)}
        />
      )}
    </>
  );
}
