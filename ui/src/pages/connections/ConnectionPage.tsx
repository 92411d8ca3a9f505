import { Anchor, Group, List, Stack, Text, Title } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import {
  connectionQuery,
  connectorsQuery,
  deleteConnection,
  OPERATIONS,
  readConnection,
  testConnection,
  updateConnection,
  usersQuery,
  type HeldConnection,
  type Side,
} from "../../api/connections";
import { asProblem } from "../../api/problem";
import { useMay } from "../../app/session";
import { ActionButton } from "../../parts/Action";
import { Confirm } from "../../parts/Confirm";
import { Conflict } from "../../forms/Conflict";
import { useDraft } from "../../forms/drafts";
import { placed } from "../../forms/placed";
import { focusField, Problems } from "../../forms/Problems";
import { member, printExact, scalar, type JsonObject } from "../../format/exact";
import { plural } from "../../format/numbers";
import { Failure } from "../../parts/Failure";
import { Loaded } from "../../parts/Loaded";
import { Page } from "../../parts/Page";
import { Ago } from "../../parts/Time";
import { connectionText as text } from "../../text/connections";
import { text as base } from "../../text/en";
import { ConnectionForm } from "./ConnectionForm";
import { Tried } from "./Tried";

/** One source or sink. */
export function ConnectionPage({ side, id }: { side: Side; id: string }) {
  const query = useQuery(connectionQuery(side, id));
  return (
    <Page title={id} actions={query.data && <Delete side={side} id={id} etag={query.data.etag} />}>
      <Loaded query={query}>{(held) => <Edit side={side} id={id} held={held} />}</Loaded>
      <UsedBy side={side} id={id} />
    </Page>
  );
}

function Edit({ side, id, held }: { side: Side; id: string; held: HeldConnection }) {
  const may = useMay();
  const client = useQueryClient();
  const { data: connectors } = useQuery(connectorsQuery);
  const [draft, setDraft] = useDraft<JsonObject>(`${side}/${id}`);
  const [round, setRound] = useState(0);
  const value = draft?.value ?? held.document;
  const type = scalar(member(value, "type"));
  const connector = connectors?.find((each) => `${each.direction}s` === side && each.type === type);

  const done = async () => {
    await client.invalidateQueries({ queryKey: [side] });
    setDraft(undefined);
    setRound((before) => before + 1);
  };
  const save = useMutation({
    mutationFn: (etag: string) => updateConnection(side, id, value, etag),
    onSuccess: async () => {
      await done();
      notifications.show({ message: `${text.saved}: ${id}` });
    },
  });
  const stale = save.error != null && asProblem(save.error).isConflict;
  const theirs = useQuery({
    queryKey: [side, "theirs", id, save.submittedAt],
    queryFn: () => readConnection(side, id),
    enabled: stale,
  });
  const test = useMutation({ mutationFn: () => testConnection(side, value) });
  const failed = save.error ?? test.error;
  const problems = failed ? placed(asProblem(failed).at) : [];
  const etag = draft?.etag ?? held.etag;
  if (connectors === undefined) return null;
  return (
    <Stack gap="md" maw={720}>
      <Group gap="xs">
        <Text fw={600}>{connector?.title ?? type}</Text>
        <Text size="sm" c="dimmed">
          {connector?.summary}
        </Text>
        <Text size="sm" c="dimmed">
          {text.column.changed} <Ago ms={held.changedAt} />
        </Text>
      </Group>
      <ConnectionForm
        key={`${round} ${etag}`}
        side={side}
        connector={connector}
        value={value}
        onChange={(next) => setDraft({ value: next, base: draft?.base ?? held.document, etag })}
        problems={problems}
        readOnly={!may(OPERATIONS[side].update)}
        fresh={false}
      />
      {stale && draft && theirs.data && (
        <Conflict
          base={printExact(draft.base)}
          mine={printExact(draft.value)}
          theirs={printExact(theirs.data.document)}
          pending={save.isPending}
          onOver={() => save.mutate(theirs.data.etag)}
          onTake={() => {
            save.reset();
            void done();
          }}
        />
      )}
      <Problems title={text.problems} problems={problems} onGo={focusField} />
      {failed && problems.length === 0 && !(stale && draft) && <Failure error={failed} />}
      {test.data && <Tried probe={test.data} />}
      <Group gap="xs">
        <ActionButton
          operation={OPERATIONS[side].update}
          loading={save.isPending}
          onClick={() => {
            test.reset();
            save.mutate(etag);
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
        {draft && (
          <ActionButton
            operation={OPERATIONS[side].update}
            variant="subtle"
            onClick={() => {
              save.reset();
              test.reset();
              void done();
            }}
          >
            {text.discard}
          </ActionButton>
        )}
        {draft && (
          <Text size="sm" role="status">
            {text.dirty}. {text.dirtyKept}
          </Text>
        )}
      </Group>
    </Stack>
  );
}

function UsedBy({ side, id }: { side: Side; id: string }) {
  const query = useQuery(usersQuery(side, id));
  return (
    <section aria-label={text.usedBy}>
      <Title order={2} mb="xs">
        {text.usedBy}
      </Title>
      <Loaded query={query}>
        {(workflows) =>
          workflows.length === 0 ? (
            <Text c="dimmed">{text.side[side].unused}</Text>
          ) : (
            <List>
              {workflows.map((each) => (
                <List.Item key={each}>
                  <Anchor component={Link} to="/workflows/$id" params={{ id: each } as never}>
                    {each}
                  </Anchor>
                </List.Item>
              ))}
            </List>
          )
        }
      </Loaded>
    </section>
  );
}

function Delete({ side, id, etag }: { side: Side; id: string; etag: string }) {
  const [asked, setAsked] = useState<string>();
  const client = useQueryClient();
  const navigate = useNavigate();
  const words = text.side[side];
  const users = useQuery(usersQuery(side, id));
  const remove = useMutation({
    mutationFn: (from: string) => deleteConnection(side, id, from),
    onSuccess: async () => {
      await navigate({ to: `/${side}` });
      client.removeQueries({ queryKey: [side, "one", id] });
      await client.invalidateQueries({ queryKey: [side] });
      notifications.show({ message: text.gone(id) });
    },
  });
  return (
    <>
      <ActionButton
        operation={OPERATIONS[side].delete}
        variant="default"
        onClick={() => {
          remove.reset();
          setAsked(etag);
        }}
      >
        {base.action.delete}
      </ActionButton>
      {asked !== undefined && (
        <Confirm
          title={text.deleteTitle(words.one, id)}
          submit={base.action.delete}
          danger
          pending={remove.isPending}
          error={remove.error}
          onConfirm={() => remove.mutate(asked)}
          onClose={() => setAsked(undefined)}
        >
          <Text>{text.deleteText}</Text>
          {users.data && users.data.length > 0 && (
            <Text>
              {text.usedBefore(plural(users.data.length, "workflow"))} ({users.data.join(", ")})
            </Text>
          )}
        </Confirm>
      )}
    </>
  );
}
