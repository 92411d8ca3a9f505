import { Button, Group, Text } from "@mantine/core";
import { useQuery, type UseQueryResult } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { leasesQuery } from "../../api/cluster";
import type { Schemas } from "../../api/client";
import { Empty } from "../../parts/Empty";
import { Loaded } from "../../parts/Loaded";
import { StackTable, type Column } from "../../parts/StackTable";
import { At } from "../../parts/Time";
import { cluster as words } from "../../text/cluster";

type Workflow = Schemas["WorkflowView"];

/** So many leases are on a page. */
const PAGE = 50;

const COLUMNS: readonly Column<Workflow>[] = [
  {
    key: "workflow",
    label: words.workflow,
    cell: (workflow) => (
      <Text span fw={600} size="sm">
        {workflow.id}
      </Text>
    ),
  },
  {
    key: "owner",
    label: words.owner,
    cell: (workflow) => workflow.owner ?? workflow.owner_id ?? words.noOwner,
  },
  { key: "epoch", label: words.epoch, end: true, cell: (workflow) => workflow.epoch ?? "–" },
  { key: "until", label: words.until, cell: (workflow) => <At ms={workflow.lease_until} /> },
];

interface Props {
  quiet: <T>(query: T & { data: unknown; error: unknown }) => T;
}

/** Which node holds which workflow, and until when unless it renews. */
export function Leases({ quiet }: Props) {
  const { leases: page = 1 } = useSearch({ from: "/inside/cluster" });
  const navigate = useNavigate();
  const query: UseQueryResult<{ data: Workflow[]; total: number }> = useQuery(leasesQuery(page, PAGE));
  const go = (to: number) =>
    void navigate({ to: "/cluster", search: to > 1 ? { leases: to } : {}, resetScroll: false });
  return (
    <Loaded query={quiet(query)}>
      {(list) => {
        const pages = Math.max(1, Math.ceil(list.total / PAGE));
        return list.total === 0 ? (
          <Empty title={words.noLeases} />
        ) : (
          <>
            <StackTable
              label={words.leases}
              rows={list.data}
              columns={COLUMNS}
              rowKey={(workflow) => workflow.id}
            />
            {pages > 1 && (
              <Group gap="xs">
                {page > 1 && (
                  <Button size="xs" variant="default" onClick={() => go(page - 1)}>
                    {words.before}
                  </Button>
                )}
                <Text size="sm">{words.page(page, pages)}</Text>
                {page < pages && (
                  <Button size="xs" variant="default" onClick={() => go(page + 1)}>
                    {words.after}
                  </Button>
                )}
              </Group>
            )}
          </>
        );
      }}
    </Loaded>
  );
}
