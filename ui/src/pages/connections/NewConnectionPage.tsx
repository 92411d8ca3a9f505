import { Badge, Button, Card, Group, SimpleGrid, Stack, Text } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import {
  connectorsQuery,
  createConnection,
  OPERATIONS,
  testConnection,
  type Connector,
  type Side,
} from "../../api/connections";
import { asProblem } from "../../api/problem";
import { useMay } from "../../app/session";
import { ActionButton } from "../../parts/Action";
import { useDraft } from "../../forms/drafts";
import { placed } from "../../forms/placed";
import { focusField, Problems } from "../../forms/Problems";
import type { JsonObject } from "../../format/exact";
import { Failure } from "../../parts/Failure";
import { Loaded } from "../../parts/Loaded";
import { Page } from "../../parts/Page";
import { connectionText as text } from "../../text/connections";
import { text as base } from "../../text/en";
import { ConnectionForm } from "./ConnectionForm";
import { Tried } from "./Tried";

/** Makes a source or sink: first which kind, then its fields. */
export function NewConnectionPage({ side, type }: { side: Side; type: string | undefined }) {
  const query = useQuery(connectorsQuery);
  const navigate = useNavigate();
  const choose = (next: string | undefined) =>
    void navigate({ to: `/${side}/-new`, search: next === undefined ? {} : { type: next } });
  return (
    <Page title={text.side[side].create}>
      <Loaded query={query}>
        {(connectors) => {
          const ours = connectors.filter((each) => `${each.direction}s` === side);
          const chosen = ours.find((each) => each.type === type);
          return chosen ? (
            <Fields key={chosen.type} side={side} connector={chosen} onOther={() => choose(undefined)} />
          ) : (
            <Kinds connectors={ours} onChoose={choose} />
          );
        }}
      </Loaded>
    </Page>
  );
}

function Kinds({
  connectors,
  onChoose,
}: {
  connectors: readonly Connector[];
  onChoose: (type: string) => void;
}) {
  return (
    <Stack gap="sm">
      <Text>{text.choose}</Text>
      <SimpleGrid cols={{ base: 1, sm: 2, lg: 3 }}>
        {connectors.map((each) => (
          <Card
            key={each.type}
            component="button"
            type="button"
            className="choice"
            withBorder
            p="sm"
            onClick={() => onChoose(each.type)}
          >
            <Group justify="space-between" gap="xs">
              <Text fw={600}>{each.title}</Text>
              <Badge variant="outline" color="gray" tt="none">
                {each.stability}
              </Badge>
            </Group>
            <Text size="sm" c="dimmed">
              {each.summary}
            </Text>
          </Card>
        ))}
      </SimpleGrid>
    </Stack>
  );
}

function Fields({ side, connector, onOther }: { side: Side; connector: Connector; onOther: () => void }) {
  const may = useMay();
  const client = useQueryClient();
  const navigate = useNavigate();
  const empty: JsonObject = { type: connector.type, config: {} };
  const [draft, setDraft] = useDraft<JsonObject>(`${side}/-new/${connector.type}`);
  const value = draft?.value ?? empty;
  const save = useMutation({
    mutationFn: () => createConnection(side, value),
    onSuccess: async (made) => {
      setDraft(undefined);
      await client.invalidateQueries({ queryKey: [side] });
      notifications.show({ message: `${text.made}: ${made.id}` });
      await navigate({ to: `/${side}/$id`, params: { id: made.id } as never });
    },
  });
  const test = useMutation({ mutationFn: () => testConnection(side, value) });
  const failed = save.error ?? test.error;
  const problems = failed ? placed(asProblem(failed).at) : [];
  return (
    <Stack gap="md" maw={720}>
      <Group gap="xs">
        <Text fw={600}>{connector.title}</Text>
        <Text size="sm" c="dimmed">
          {connector.summary}
        </Text>
        <Button size="compact-sm" variant="subtle" onClick={onOther}>
          {text.otherKind}
        </Button>
      </Group>
      <ConnectionForm
        side={side}
        connector={connector}
        value={value}
        onChange={(next) => setDraft({ value: next, base: empty, etag: "" })}
        problems={problems}
        readOnly={!may(OPERATIONS[side].create)}
        fresh
      />
      <Problems title={text.problems} problems={problems} onGo={focusField} />
      {failed && problems.length === 0 && <Failure error={failed} />}
      {test.data && <Tried probe={test.data} />}
      <Group gap="xs">
        <ActionButton
          operation={OPERATIONS[side].create}
          loading={save.isPending}
          onClick={() => {
            test.reset();
            save.mutate();
          }}
        >
          {base.action.save}
        </ActionButton>
        <ActionButton
          operation={OPERATIONS[side].test}
          variant="default"
          loading={test.isPending}
          onClick={() => {
            save.reset();
            test.mutate();
          }}
        >
          {text.test.run}
        </ActionButton>
      </Group>
    </Stack>
  );
}
