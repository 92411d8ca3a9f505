import { Button, Group, Select, Switch, Text } from "@mantine/core";
import type { DeadLetterPage, LetterFilter } from "../../api/deadLetters";
import { without } from "../../app/address";
import { grouped } from "../../format/numbers";
import { deadLetters as words } from "../../text/deadLetters";
import { text } from "../../text/en";
import type { Go } from "./DeadLettersPage";

interface Props {
  /** What is known of the workflow's dead letters, for what can be chosen. */
  page: DeadLetterPage | undefined;
  filter: LetterFilter;
  total: number | undefined;
  go: Go;
}

/** Narrows the list by what the nodes can narrow it by. */
export function FilterBar({ page, filter, total, go }: Props) {
  const letters = page?.data ?? [];
  const choices = {
    sink: letters.flatMap((letter) => letter.sinks),
    kind: letters.map((letter) => letter.kind),
    node: page?.nodes.map((node) => node.node) ?? [],
  };
  const isNarrow = Object.keys(filter).length > 0;
  const set = (name: "sink" | "kind" | "node", value: string | null) =>
    go((before) => {
      const rest = without(before, name, "from");
      return value === null ? rest : { ...rest, [name]: value };
    });
  return (
    <Group gap="sm" align="flex-end" role="search" aria-label={words.filter}>
      {(["sink", "kind", "node"] as const).map((name) => {
        const chosen = filter[name] ?? null;
        const known = [...choices[name], ...(chosen === null ? [] : [chosen])].filter(Boolean);
        return (
          <Select
            key={name}
            label={words[name]}
            placeholder={words.any}
            data={[...new Set(known)].sort()}
            value={chosen}
            onChange={(value) => set(name, value)}
            clearable
            searchable
            w={{ base: "100%", xs: 180 }}
            nothingFoundMessage={words.noMatch}
          />
        );
      })}
      <Switch
        label={words.closed}
        checked={filter.closed === true}
        mb={6}
        onChange={(event) => {
          const closed = event.currentTarget.checked;
          go((before) => {
            const rest = without(before, "closed", "from");
            return closed ? { ...rest, closed } : rest;
          });
        }}
      />
      {isNarrow && (
        <Button
          variant="subtle"
          onClick={() => go(({ workflow }) => (workflow === undefined ? {} : { workflow }))}
        >
          {text.state.clear}
        </Button>
      )}
      <Text size="sm" mb={6} role="status">
        {words.matching(grouped(total))}
      </Text>
    </Group>
  );
}
