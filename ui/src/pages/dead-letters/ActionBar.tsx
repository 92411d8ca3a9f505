import { Button, Group, Text } from "@mantine/core";
import { useState } from "react";
import type { Action } from "../../api/deadLetters";
import { ActionButton } from "../../parts/Action";
import { deadLetters as words } from "../../text/deadLetters";
import { NONE, type Picked } from "./selection";

interface Props {
  picked: Picked;
  /** Names of those on the page that can be changed. */
  here: readonly string[];
  openTotal: number | undefined;
  pick: (picked: Picked) => void;
  ask: (action: Action) => void;
}

/** Says what is selected, and what can be done with it: "here" and "all that match" are two things. */
export function ActionBar({ picked, here, openTotal, pick, ask }: Props) {
  const [lacking, setLacking] = useState(false);
  const nothing = !picked.all && picked.names.size === 0;
  const act = (action: Action) => {
    setLacking(nothing);
    if (!nothing) ask(action);
  };
  const onPage = picked.all ? 0 : here.filter((name) => picked.names.has(name)).length;
  const said = picked.all
    ? words.selectedAll(openTotal)
    : nothing
      ? words.selectedNone
      : words.selected(picked.names.size, onPage);
  return (
    <Group gap="xs">
      <Text size="sm" role="status">
        {said}
      </Text>
      {here.length > 0 && (picked.all || onPage < here.length) && (
        <Button
          variant="subtle"
          size="xs"
          onClick={() => pick({ all: false, names: new Set([...(picked.all ? [] : picked.names), ...here]) })}
        >
          {words.selectHere(here.length)}
        </Button>
      )}
      {!picked.all && openTotal !== undefined && openTotal > 0 && (
        <Button variant="subtle" size="xs" onClick={() => pick({ all: true })}>
          {words.selectAll(openTotal)}
        </Button>
      )}
      {!nothing && (
        <Button variant="subtle" size="xs" onClick={() => pick(NONE)}>
          {words.clear}
        </Button>
      )}
      <Group gap="xs" ml="auto">
        <ActionButton operation="replayDeadLetters" role="Editor" size="xs" onClick={() => act("replay")}>
          {words.act.replay}
        </ActionButton>
        <ActionButton
          operation="discardDeadLetters"
          role="Editor"
          size="xs"
          color="red"
          variant="light"
          onClick={() => act("discard")}
        >
          {words.act.discard}
        </ActionButton>
      </Group>
      {lacking && nothing && (
        <Text size="sm" role="alert" w="100%">
          {words.pickFirst}
        </Text>
      )}
    </Group>
  );
}
