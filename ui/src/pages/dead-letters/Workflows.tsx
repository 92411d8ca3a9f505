import { Select, Stack, Text, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { workflowsQuery } from "../../api/queries";
import { useJudged, type Judged } from "../../app/verdicts";
import { count } from "../../format/numbers";
import { Empty } from "../../parts/Empty";
import { Loaded } from "../../parts/Loaded";
import { LinkAnchor } from "../../parts/LinkAnchor";
import { StackTable, type Column } from "../../parts/StackTable";
import { StandingBadge } from "../../status/StandingBadge";
import { deadLetters as words } from "../../text/deadLetters";
import { text } from "../../text/en";
import type { Go } from "./DeadLettersPage";

/** So many workflows the node lists at once; more are found by searching. */
const LIST_MAX = 200;

const open = ({ pulse, workflow }: Judged) => (pulse?.status ?? workflow.status)?.dead_letters;

/** Those with most dead letters first; then those of which it is not known. */
export function byDeadLetters(judged: readonly Judged[]): Judged[] {
  const rank = (each: Judged) => open(each) ?? 0.5;
  return [...judged].sort((a, b) => rank(b) - rank(a) || a.workflow.id.localeCompare(b.workflow.id));
}

const COLUMNS: readonly Column<Judged>[] = [
  {
    key: "workflow",
    label: words.workflow,
    cell: ({ workflow }) => (
      <LinkAnchor to="/dead-letters" search={{ workflow: workflow.id }} fw={600}>
        {workflow.id}
      </LinkAnchor>
    ),
  },
  { key: "open", label: words.open, end: true, cell: (each) => count(open(each)) },
  {
    key: "standing",
    label: words.standing,
    cell: ({ verdict }) => <StandingBadge standing={verdict.standing} />,
  },
];

/** All workflows, so that one can be chosen. */
export function Workflows() {
  const [wanted, setWanted] = useState("");
  const [search] = useDebouncedValue(wanted.trim(), 200);
  const query = useQuery(workflowsQuery({ limit: LIST_MAX, ...(search === "" ? {} : { search }) }));
  return (
    <Stack gap="sm">
      <TextInput
        label={text.action.search}
        value={wanted}
        maw={320}
        maxLength={200}
        onChange={(event) => setWanted(event.currentTarget.value)}
      />
      <Text size="sm" c="dimmed">
        {words.openHint}
      </Text>
      <Loaded query={query}>
        {(list) => <Judgement workflows={list.data} total={list.total} searched={search !== ""} />}
      </Loaded>
    </Stack>
  );
}

function Judgement(props: { workflows: Parameters<typeof useJudged>[0]; total: number; searched: boolean }) {
  const { workflows, total, searched } = props;
  const judged = byDeadLetters(useJudged(workflows));
  if (judged.length === 0)
    return searched ? (
      <Empty title={words.noMatch} />
    ) : (
      <Empty title={text.state.none("workflow")}>{words.noWorkflows}</Empty>
    );
  return (
    <>
      <StackTable label={words.choose} rows={judged} columns={COLUMNS} rowKey={(each) => each.workflow.id} />
      {total > judged.length && <Text size="sm">{words.notAll(judged.length, total)}</Text>}
    </>
  );
}

/** Chooses among the workflows, those with dead letters first. */
export function WorkflowSelect({ chosen, go }: { chosen: string; go: Go }) {
  const [wanted, setWanted] = useState("");
  const [debounced] = useDebouncedValue(wanted.trim(), 200);
  const search = debounced === "" || debounced.startsWith(chosen) ? {} : { search: debounced };
  const { data: list } = useQuery(workflowsQuery({ limit: LIST_MAX, ...search }));
  const judged = byDeadLetters(useJudged(list?.data ?? []));
  const options = judged.map((each) => ({
    value: each.workflow.id,
    label: each.workflow.id,
    open: open(each),
  }));
  if (!options.some((option) => option.value === chosen))
    options.unshift({ value: chosen, label: chosen, open: undefined });
  return (
    <Select
      aria-label={words.workflow}
      data={options}
      value={chosen}
      searchable
      allowDeselect={false}
      onSearchChange={setWanted}
      onChange={(workflow) => go(() => (workflow === null ? {} : { workflow }))}
      renderOption={({ option }) => (
        <Text size="sm" style={{ overflowWrap: "anywhere" }}>
          {option.label}{" "}
          <Text span c="dimmed" size="xs">
            {words.openCount(options.find((each) => each.value === option.value)?.open)}
          </Text>
        </Text>
      )}
    />
  );
}
