import { Badge, Box, Button, Card, Group, NativeSelect, Stack, Table, Text, Title } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { asProblem } from "../../api/problem";
import { rollBack, versionQuery, versionsQuery, type Held, type Version } from "../../api/workflows";
import { ActionButton } from "../../parts/Action";
import { Confirm } from "../../parts/Confirm";
import { Diff } from "../../forms/Diff";
import { Loaded } from "../../parts/Loaded";
import { Ago } from "../../parts/Time";
import { workflowText } from "../../text/workflows";
import type { WorkflowSearch } from "./search";

const text = workflowText.versions;

/** What the workflow was: who saved what, why and when; what differs; and the way back. */
export function Versions({
  held,
  runs,
  search,
}: {
  held: Held;
  runs: number | null | undefined;
  search: WorkflowSearch;
}) {
  const { id, version: saved } = held.view;
  const query = useQuery(versionsQuery(id));
  const navigate = useNavigate();
  // What somebody has looked at: a later version must not be rolled back over without them knowing.
  const [asked, setAsked] = useState<{ version: number; etag: string; saved: number }>();
  const compare = (from: number, to: number) =>
    void navigate({
      to: "/workflows/$id",
      params: { id },
      search: { tab: "versions", from, to },
      replace: true,
    });
  return (
    <Loaded query={query}>
      {({ data }) => {
        const versions = data.toSorted((a, b) => b.version - a.version);
        const to = search.to ?? saved;
        const from = search.from ?? versions.find((each) => each.version < to)?.version ?? to;
        const row = (version: Version) => ({
          version,
          saved: version.version === saved,
          runs: version.version === runs,
          onCompare: () => compare(version.version, saved),
          onRollBack: () => setAsked({ version: version.version, etag: held.etag, saved }),
        });
        return (
          <Stack gap="lg">
            <Table visibleFrom="sm" aria-label={workflowText.tab.versions}>
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>{text.version}</Table.Th>
                  <Table.Th>{text.at}</Table.Th>
                  <Table.Th>{text.author}</Table.Th>
                  <Table.Th>{text.message}</Table.Th>
                  <Table.Th />
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {versions.map((each) => (
                  <Table.Tr key={each.version}>
                    <Table.Td>
                      <Marks {...row(each)} />
                    </Table.Td>
                    <Table.Td style={{ whiteSpace: "nowrap" }}>
                      <Ago ms={each.saved_at} />
                    </Table.Td>
                    <Table.Td>{each.author}</Table.Td>
                    <Table.Td style={{ overflowWrap: "anywhere" }}>{each.message || "–"}</Table.Td>
                    <Table.Td>
                      <Ways {...row(each)} />
                    </Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
            <Stack gap="xs" hiddenFrom="sm">
              {versions.map((each) => (
                <Card key={each.version} withBorder p="sm">
                  <Group justify="space-between">
                    <Marks {...row(each)} />
                    <Text size="sm">
                      {each.author}, <Ago ms={each.saved_at} />
                    </Text>
                  </Group>
                  <Text size="sm" style={{ overflowWrap: "anywhere" }}>
                    {each.message || "–"}
                  </Text>
                  <Ways {...row(each)} />
                </Card>
              ))}
            </Stack>
            <Compare id={id} versions={versions} from={from} to={to} onChange={compare} />
            {asked && (
              <RollBack id={id} active={held.view.active} {...asked} onClose={() => setAsked(undefined)} />
            )}
          </Stack>
        );
      }}
    </Loaded>
  );
}

interface RowProps {
  version: Version;
  saved: boolean;
  runs: boolean;
  onCompare: () => void;
  onRollBack: () => void;
}

function Marks({ version, saved, runs }: RowProps) {
  return (
    <Group gap={6}>
      <Text fw={600} size="sm">
        v{version.version}
      </Text>
      {saved && (
        <Badge variant="outline" color="gray" size="sm" tt="none">
          {text.saved}
        </Badge>
      )}
      {runs && (
        <Badge variant="outline" size="sm" tt="none" leftSection={<span aria-hidden>●</span>}>
          {text.live}
        </Badge>
      )}
    </Group>
  );
}

function Ways({ version, saved, onCompare, onRollBack }: RowProps) {
  if (saved) return null;
  return (
    <Group gap="xs" justify="flex-end">
      <Button
        size="compact-sm"
        variant="subtle"
        aria-label={`${text.compareShort} v${version.version}`}
        onClick={onCompare}
      >
        {text.compareShort}
      </Button>
      <ActionButton
        operation="rollBack"
        size="compact-sm"
        variant="default"
        aria-label={text.rollbackTo(version.version)}
        onClick={onRollBack}
      >
        {text.rollback}
      </ActionButton>
    </Group>
  );
}

function Compare({
  id,
  versions,
  from,
  to,
  onChange,
}: {
  id: string;
  versions: readonly Version[];
  from: number;
  to: number;
  onChange: (from: number, to: number) => void;
}) {
  const choices = versions.map((each) => ({ value: String(each.version), label: `v${each.version}` }));
  return (
    <section aria-label={text.diff}>
      <Title order={2} mb="xs">
        {text.diff}
      </Title>
      <Group mb="sm">
        <NativeSelect
          label={text.from}
          value={String(from)}
          data={choices}
          onChange={(event) => onChange(Number(event.currentTarget.value), to)}
        />
        <NativeSelect
          label={text.to}
          value={String(to)}
          data={choices}
          onChange={(event) => onChange(from, Number(event.currentTarget.value))}
        />
      </Group>
      <Between id={id} from={from} to={to} />
    </section>
  );
}

function Between({ id, from, to }: { id: string; from: number; to: number }) {
  const before = useQuery(versionQuery(id, from));
  const after = useQuery(versionQuery(id, to));
  return (
    <Loaded query={before}>
      {(old) => (
        <Loaded query={after}>
          {(next) => <Diff before={old} after={next} label={`v${from} → v${to}`} />}
        </Loaded>
      )}
    </Loaded>
  );
}

/** Saves an old version anew, if nobody has saved another one since it was looked at (D2). */
function RollBack({
  id,
  version,
  etag,
  saved,
  active,
  onClose,
}: {
  id: string;
  version: number;
  etag: string;
  saved: number;
  active: boolean;
  onClose: () => void;
}) {
  const client = useQueryClient();
  const back = useMutation({
    mutationFn: () => rollBack(id, version, etag),
    onSuccess: () => {
      notifications.show({ message: text.done(version) });
      onClose();
    },
    // Whatever came of it, what is shown must be what is there now.
    onSettled: () =>
      Promise.all([
        client.invalidateQueries({ queryKey: ["workflow", id] }),
        client.invalidateQueries({ queryKey: ["workflows"] }),
      ]),
  });
  const stale = back.error != null && asProblem(back.error).isConflict;
  return (
    <Confirm
      size="lg"
      title={text.title(id, version)}
      submit={text.rollback}
      pending={back.isPending}
      blocked={stale}
      error={stale ? undefined : back.error}
      onConfirm={() => back.mutate()}
      onClose={onClose}
    >
      {stale && (
        <Text fw={600} role="alert" data-testid="stale">
          {text.stale}
        </Text>
      )}
      <Text size="sm">{text.text(version, saved + 1)}</Text>
      <Box>
        <Between id={id} from={saved} to={version} />
      </Box>
      {active && <Text size="sm">{text.running}</Text>}
    </Confirm>
  );
}
