import { Button, Checkbox, Group, Stack, Title } from "@mantine/core";
import { useState } from "react";
import type { Action, DeadLetter, DeadLetterPage, LetterFilter } from "../../api/deadLetters";
import { without } from "../../app/address";
import { count, grouped } from "../../format/numbers";
import { Empty } from "../../parts/Empty";
import { LinkAnchor } from "../../parts/LinkAnchor";
import { StackTable, type Column } from "../../parts/StackTable";
import { Ago } from "../../parts/Time";
import { deadLetters as words } from "../../text/deadLetters";
import { text } from "../../text/en";
import { ActionBar } from "./ActionBar";
import { ChangeDialog } from "./ChangeDialog";
import type { Go } from "./DeadLettersPage";
import { PAGE } from "./Letters";
import { nameOf, originOf, piece, silent } from "./letters";
import type { Done } from "./Result";
import { isPicked, living, namesOf, NONE, toggled, type Held, type Picked } from "./selection";

interface Props {
  workflow: string;
  page: DeadLetterPage;
  filter: LetterFilter;
  from: number | undefined;
  /** Open ones that match the filter; those are what can be changed. */
  openTotal: number | undefined;
  /** Open ones without a filter. */
  total: number | undefined;
  /** What came of a change; the list may be empty by then, so it is told elsewhere. */
  onDone: (done: Done) => void;
  go: Go;
}

/** One by one, with what can be done about them. */
export function List({ workflow, page, filter, from, openTotal, total, onDone, go }: Props) {
  const under = JSON.stringify(filter);
  const [held, setHeld] = useState<Held>({ under, picked: NONE });
  const [asking, setAsking] = useState<{ action: Action; picked: Picked }>();
  const { rows, next } = piece(page, PAGE);
  const open = rows.filter((letter) => letter.state === "open");
  const picked = living(held, under);
  const pick = (one: Picked) => setHeld({ under, picked: one });
  const nodes = page.nodes.map((node) => node.node);
  const ask = (action: Action) => setAsking({ action, picked });
  return (
    <Stack gap="xs" component="section">
      <Title order={2}>{words.list}</Title>
      <ActionBar picked={picked} here={namesOf(open)} openTotal={openTotal} pick={pick} ask={ask} />
      {rows.length === 0 ? (
        <Empty
          title={text.state.noneMatches(grouped(total))}
          action={
            <Button variant="light" onClick={() => go(() => ({ workflow }))}>
              {text.state.clear}
            </Button>
          }
        >
          {silent(page).length > 0 ? words.silent(silent(page).join(", ")) : undefined}
        </Empty>
      ) : (
        <StackTable
          label={words.list}
          rows={rows}
          columns={columns(workflow, filter, (letter) => ({
            checked: isPicked(picked, nameOf(letter)) && letter.state === "open",
            onChange: (on) => pick(toggled(picked, [nameOf(letter)], on, namesOf(open))),
          }))}
          rowKey={nameOf}
        />
      )}
      <Group gap="xs">
        {from !== undefined && (
          <Button variant="default" onClick={() => go((before) => without(before, "from"))}>
            {words.firstPage}
          </Button>
        )}
        {next !== undefined && (
          <Button variant="default" onClick={() => go((before) => ({ ...before, from: next }))}>
            {words.next}
          </Button>
        )}
      </Group>
      {asking && (
        <ChangeDialog
          {...asking}
          workflow={workflow}
          filter={filter}
          nodes={nodes}
          openTotal={openTotal}
          onClose={() => setAsking(undefined)}
          onDone={(came) => {
            setAsking(undefined);
            onDone(came);
            pick(NONE);
          }}
        />
      )}
    </Stack>
  );
}

interface Box {
  checked: boolean;
  onChange: (on: boolean) => void;
}

function columns(
  workflow: string,
  filter: LetterFilter,
  box: (letter: DeadLetter) => Box,
): Column<DeadLetter>[] {
  const state: Column<DeadLetter> = { key: "state", label: words.state, cell: (letter) => letter.state };
  return [
    {
      key: "select",
      label: words.selection,
      quiet: true,
      width: 44,
      cell: (letter) => {
        const { checked, onChange } = box(letter);
        return (
          <Checkbox
            aria-label={words.select(nameOf(letter))}
            checked={checked}
            disabled={letter.state !== "open"}
            onChange={(event) => onChange(event.currentTarget.checked)}
            size="md"
          />
        );
      },
    },
    {
      key: "reason",
      label: words.reason,
      cell: (letter) => (
        <LinkAnchor
          to="/dead-letters"
          search={(before) => ({ ...before, workflow, open: nameOf(letter) })}
          aria-label={`${words.one(nameOf(letter))}: ${letter.reason}`}
          size="sm"
          lineClamp={2}
          style={{ overflowWrap: "anywhere" }}
        >
          {letter.reason || words.one(nameOf(letter))}
        </LinkAnchor>
      ),
    },
    {
      key: "place",
      label: words.place,
      cell: (letter) => words.origin(originOf(letter).at, originOf(letter).id),
    },
    { key: "kind", label: words.kind, cell: (letter) => letter.kind || "–" },
    { key: "age", label: words.age, cell: (letter) => <Ago ms={letter.at_ms} /> },
    { key: "attempts", label: words.attempts, end: true, cell: (letter) => count(letter.attempts) },
    ...(filter.closed === true ? [state] : []),
    { key: "name", label: words.name, cell: nameOf },
  ];
}
