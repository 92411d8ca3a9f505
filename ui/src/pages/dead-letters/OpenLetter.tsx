import { Drawer, Group, Stack, Text, Title } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { letterQuery, type Action, type DeadLetter, type DeadLetterPage } from "../../api/deadLetters";
import { without } from "../../app/address";
import { useMay } from "../../app/session";
import { count } from "../../format/numbers";
import { Failure } from "../../parts/Failure";
import { Loading } from "../../parts/Loaded";
import { ActionButton } from "../../parts/Action";
import { Ago, At } from "../../parts/Time";
import { deadLetters as words } from "../../text/deadLetters";
import { text } from "../../text/en";
import { ChangeDialog } from "./ChangeDialog";
import type { Go } from "./DeadLettersPage";
import { nameOf, originOf } from "./letters";
import { Message } from "./Message";
import { memberText } from "./messageText";
import { Result, type Done } from "./Result";
import { opened } from "./search";

interface Props {
  workflow: string;
  open: string | undefined;
  go: Go;
}

/** One dead letter with everything that is known of it. */
export function OpenLetter({ workflow, open, go }: Props) {
  const close = () => go((before) => without(before, "open"));
  const name = opened(open);
  return (
    <Drawer
      opened={name !== undefined}
      onClose={close}
      position="right"
      size="lg"
      title={open === undefined ? undefined : words.one(open)}
      closeButtonProps={{ "aria-label": text.action.close }}
    >
      {name && <Letter key={open} workflow={workflow} {...name} />}
    </Drawer>
  );
}

/** What lists have said of it already: that is all that Viewers see. */
function useListed(workflow: string, name: string): DeadLetter | undefined {
  const client = useQueryClient();
  return client
    .getQueriesData<DeadLetterPage>({ queryKey: ["dead-letters", workflow, "list"] })
    .flatMap(([, page]) => page?.data ?? [])
    .find((letter) => nameOf(letter) === name);
}

function Letter({ workflow, node, seq }: { workflow: string; node: string; seq: number }) {
  const mayRead = useMay()("getDeadLetter");
  const query = useQuery({ ...letterQuery(workflow, node, seq), enabled: mayRead });
  const listed = useListed(workflow, nameOf({ node, seq }));
  const letter = query.data === undefined ? listed : (JSON.parse(query.data) as DeadLetter);
  const message = query.data === undefined ? undefined : memberText(query.data, "message");
  return (
    <Stack gap="md">
      {query.error && <Failure error={query.error} retry={() => void query.refetch()} />}
      {letter && <Facts letter={letter} />}
      {letter && <Change workflow={workflow} letter={letter} />}
      <Title order={2}>{words.message}</Title>
      {!mayRead ? (
        <Text size="sm">{words.contentsDenied}</Text>
      ) : query.isPending ? (
        <Loading />
      ) : message === undefined || message === "null" ? (
        query.data !== undefined && <Text size="sm">{words.noMessage}</Text>
      ) : (
        <Message message={message} name={nameOf({ node, seq })} />
      )}
    </Stack>
  );
}

function Facts({ letter }: { letter: DeadLetter }) {
  const origin = originOf(letter);
  const facts = [
    [words.reason, letter.reason || "–"],
    [words.kind, letter.kind || "–"],
    [words.place, words.origin(origin.at, origin.id)],
    [words.missedSinks, letter.sinks.join(", ") || "–"],
    [words.attempts, count(letter.attempts)],
    [words.state, letter.state],
    [words.node, letter.node],
    [words.messageId, letter.message_id],
  ] as const;
  return (
    <dl className="facts">
      {facts.map(([label, value]) => (
        <Fact key={label} label={label}>
          {value}
        </Fact>
      ))}
      <Fact label={words.when}>
        <At ms={letter.at_ms} /> (<Ago ms={letter.at_ms} />)
      </Fact>
    </dl>
  );
}

function Fact({ label, children }: { label: string; children: React.ReactNode }) {
  return (
    <>
      <Text component="dt" size="sm" c="dimmed">
        {label}
      </Text>
      <Text component="dd" size="sm">
        {children}
      </Text>
    </>
  );
}

function Change({ workflow, letter }: { workflow: string; letter: DeadLetter }) {
  const [action, setAction] = useState<Action>();
  const [done, setDone] = useState<Done>();
  return (
    <>
      <Group gap="xs" display={letter.state === "open" ? undefined : "none"}>
        <ActionButton operation="replayDeadLetters" role="Editor" onClick={() => setAction("replay")}>
          {words.act.replay}
        </ActionButton>
        <ActionButton
          operation="discardDeadLetters"
          role="Editor"
          color="red"
          variant="light"
          onClick={() => setAction("discard")}
        >
          {words.act.discard}
        </ActionButton>
      </Group>
      {done && <Result done={done} onClose={() => setDone(undefined)} />}
      {action && (
        <ChangeDialog
          action={action}
          picked={{ all: false, names: new Set([nameOf(letter)]) }}
          workflow={workflow}
          filter={{}}
          nodes={[letter.node]}
          openTotal={1}
          onClose={() => setAction(undefined)}
          onDone={(came) => {
            setAction(undefined);
            setDone(came);
          }}
        />
      )}
    </>
  );
}
