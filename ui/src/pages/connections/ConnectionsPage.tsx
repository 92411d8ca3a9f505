import { Anchor, Button, Card, Group, Stack, Table, Text, Tooltip } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import {
  connectionsQuery,
  connectorsQuery,
  OPERATIONS,
  type Connection,
  type Side,
} from "../../api/connections";
import { useMay } from "../../app/session";
import { pageOf, type ListSearch } from "../../forms/list-search";
import { Pages, SearchBox } from "../../forms/Listing";
import { grouped } from "../../format/numbers";
import { omit } from "../../format/omit";
import { Empty } from "../../parts/Empty";
import { Loaded } from "../../parts/Loaded";
import { Page } from "../../parts/Page";
import { Ago } from "../../parts/Time";
import { connectionText as text } from "../../text/connections";
import { text as base } from "../../text/en";

/** All sources, or all sinks. */
export function ConnectionsPage({ side, search }: { side: Side; search: ListSearch }) {
  const words = text.side[side];
  const query = useQuery(connectionsQuery(side, pageOf(search)));
  const navigate = useNavigate();
  const go = (next: ListSearch) => void navigate({ to: `/${side}`, search: next, replace: true });
  const all = useQuery({
    ...connectionsQuery(side, { page: 1, limit: 1 }),
    enabled: search.search !== undefined,
  });
  return (
    <Page title={words.title} actions={<Create side={side} />}>
      <Group>
        <SearchBox
          label={text.search}
          value={search.search}
          onChange={(next) => go(next === undefined ? {} : { search: next })}
        />
      </Group>
      <Loaded query={query}>
        {(list) => {
          if (list.data.length > 0) {
            return (
              <>
                <Rows side={side} rows={list.data} />
                <Pages
                  total={list.total}
                  page={search.page}
                  onChange={(page) => {
                    const rest = omit(search, "page");
                    go(page === undefined ? rest : { ...rest, page });
                  }}
                />
              </>
            );
          }
          if (search.search === undefined && search.page === undefined) {
            return (
              <Empty title={base.state.none(words.one)} action={<Create side={side} />}>
                {words.none}
              </Empty>
            );
          }
          return (
            <Empty
              title={base.state.noneMatches(grouped(all.data?.total))}
              action={
                <Button variant="default" onClick={() => go({})}>
                  {base.state.clear}
                </Button>
              }
            />
          );
        }}
      </Loaded>
    </Page>
  );
}

function Create({ side }: { side: Side }) {
  const may = useMay()(OPERATIONS[side].create);
  const label = text.side[side].create;
  if (may) {
    return (
      <Button component={Link} to={`/${side}/-new`}>
        {label}
      </Button>
    );
  }
  return (
    <Tooltip label={base.state.needs("Editor")}>
      <Button data-disabled aria-disabled onClick={(event) => event.preventDefault()}>
        {label}
      </Button>
    </Tooltip>
  );
}

/** The name for people; the node hands on what the document has. */
function nameOf(row: Connection): string {
  const { name } = row as Connection & { name?: unknown };
  return typeof name === "string" ? name : "";
}

function Rows({ side, rows }: { side: Side; rows: readonly Connection[] }) {
  const { data: connectors } = useQuery(connectorsQuery);
  const kind = (type: string) =>
    connectors?.find((each) => `${each.direction}s` === side && each.type === type)?.title ?? type;
  const link = (row: Connection) => (
    <Anchor component={Link} to={`/${side}/$id`} params={{ id: row.id } as never} fw={600}>
      {row.id}
    </Anchor>
  );
  return (
    <>
      <Table visibleFrom="sm" highlightOnHover aria-label={text.side[side].title}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>{text.column.id}</Table.Th>
            <Table.Th>{text.column.type}</Table.Th>
            <Table.Th>{text.column.changed}</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {rows.map((row) => (
            <Table.Tr key={row.id}>
              <Table.Td style={{ overflowWrap: "anywhere" }}>
                {link(row)}
                <Text size="xs" c="dimmed">
                  {nameOf(row)}
                </Text>
              </Table.Td>
              <Table.Td>{kind(row.type)}</Table.Td>
              <Table.Td>
                <Ago ms={row.changed_at} />
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
      <Stack gap="xs" hiddenFrom="sm">
        {rows.map((row) => (
          <Card key={row.id} withBorder p="sm">
            <Group justify="space-between" gap="xs">
              <div style={{ minWidth: 0, overflowWrap: "anywhere" }}>
                {link(row)}
                <Text size="xs" c="dimmed">
                  {nameOf(row)}
                </Text>
              </div>
              <Text size="sm">{kind(row.type)}</Text>
            </Group>
            <Text size="xs" c="dimmed">
              {text.column.changed} <Ago ms={row.changed_at} />
            </Text>
          </Card>
        ))}
      </Stack>
    </>
  );
}
