import { Stack, Text, Title } from "@mantine/core";
import { useMemo } from "react";
import type { DeadLetterPage } from "../../api/deadLetters";
import { count } from "../../format/numbers";
import { LinkAnchor } from "../../parts/LinkAnchor";
import { StackTable, type Column } from "../../parts/StackTable";
import { Ago } from "../../parts/Time";
import { deadLetters as words } from "../../text/deadLetters";
import { groups, type Group } from "./letters";
import type { LetterSearch } from "./search";

interface Props {
  page: DeadLetterPage;
  search: LetterSearch;
}

/** What the list can be narrowed to for a group: the node of the graph is nothing that it knows. */
export function narrowed(group: Group): LetterSearch {
  return {
    ...(group.origin.at === "sink" ? { sink: group.origin.id } : {}),
    ...(group.kind === "" ? {} : { kind: group.kind }),
  };
}

/** What has failed, where and how often; the largest first. */
export function Groups({ page, search }: Props) {
  const found = useMemo(() => groups(page.data), [page.data]);
  const isCut = page.data.length < page.total;
  const columns: Column<Group>[] = [
    {
      key: "place",
      label: words.place,
      cell: (group) => {
        const place = words.origin(group.origin.at, group.origin.id);
        const to = { workflow: search.workflow ?? "", ...narrowed(group) };
        const isChosen = search.kind === to.kind && search.sink === to.sink;
        return (
          <LinkAnchor
            to="/dead-letters"
            search={to}
            aria-label={words.show(place, group.kind)}
            aria-current={isChosen ? "true" : undefined}
            size="sm"
            fw={isChosen ? 700 : 500}
          >
            {place}
          </LinkAnchor>
        );
      },
    },
    { key: "kind", label: words.kind, cell: (group) => group.kind || "–" },
    {
      key: "count",
      label: words.count,
      end: true,
      cell: (group) => (isCut ? words.atLeast(count(group.count)) : count(group.count)),
    },
    { key: "first", label: words.first, cell: (group) => <Ago ms={group.firstMs} /> },
    { key: "last", label: words.last, cell: (group) => <Ago ms={group.lastMs} /> },
    {
      key: "reason",
      label: words.latestReason,
      cell: (group) => (
        <Text size="sm" lineClamp={2} style={{ overflowWrap: "anywhere" }}>
          {group.reason || "–"}
        </Text>
      ),
    },
  ];
  return (
    <Stack gap="xs" component="section">
      <Title order={2}>{words.groups}</Title>
      <StackTable label={words.groups} rows={found} columns={columns} rowKey={(group) => group.key} />
      {isCut && (
        <Text size="sm" c="dimmed">
          {words.groupsCut(page.data.length, page.total)}
        </Text>
      )}
    </Stack>
  );
}
