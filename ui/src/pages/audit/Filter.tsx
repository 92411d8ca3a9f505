import { Button, Group, TextInput } from "@mantine/core";
import { useState } from "react";
import { useZone } from "../../app/clock";
import { absolute, type Zone } from "../../format/time";
import { audit as words } from "../../text/audit";
import { text } from "../../text/en";
import { givenTime } from "./givenTime";
import type { AuditSearch } from "./search";

const TEXTS = ["user", "action", "kind", "id"] as const;
const TIMES = ["from", "until"] as const;

type Name = (typeof TEXTS)[number] | (typeof TIMES)[number];

function draft(search: AuditSearch, zone: Zone): Record<Name, string> {
  const time = (ms: number | undefined) => (ms === undefined ? "" : absolute(ms, zone));
  const { user = "", action = "", kind = "", id = "", from, until } = search;
  return { user, action, kind, id, from: time(from), until: time(until) };
}

/** Narrows the journal. What is typed holds when it is applied, so that half a name is not asked for. */
export function Filter({ search, go }: { search: AuditSearch; go: (search: AuditSearch) => void }) {
  const zone = useZone((state) => state.zone);
  const [typed, setTyped] = useState(() => draft(search, zone));
  const [wrong, setWrong] = useState<readonly Name[]>([]);
  const apply = () => {
    const next: Partial<Record<Name, string | number>> = {};
    const bad: Name[] = [];
    for (const name of TEXTS) if (typed[name].trim() !== "") next[name] = typed[name].trim();
    for (const name of TIMES) {
      if (typed[name].trim() === "") continue;
      const ms = givenTime(typed[name], zone);
      if (ms === undefined) bad.push(name);
      else next[name] = ms;
    }
    setWrong(bad);
    if (bad.length === 0) go(next as AuditSearch);
  };
  return (
    <form
      role="search"
      aria-label={words.filter}
      onSubmit={(event) => {
        event.preventDefault();
        apply();
      }}
    >
      <Group gap="sm" align={wrong.length > 0 ? "flex-start" : "flex-end"}>
        {[...TEXTS, ...TIMES].map((name) => {
          const isTime = name === "from" || name === "until";
          return (
            <TextInput
              key={name}
              label={words[name]}
              title={isTime ? words.timeHint : words.exact}
              placeholder={isTime ? words.timeShape : undefined}
              value={typed[name]}
              w={{ base: "calc(50% - 6px)", xs: isTime ? 215 : name === "action" ? 190 : 140 }}
              maxLength={200}
              error={wrong.includes(name) ? words.badTime : undefined}
              onChange={(event) => {
                const { value } = event.currentTarget;
                setTyped((before) => ({ ...before, [name]: value }));
              }}
            />
          );
        })}
        <Group gap="xs">
          <Button type="submit">{words.apply}</Button>
          {Object.keys(search).length > 0 && (
            <Button variant="subtle" onClick={() => go({})}>
              {text.state.clear}
            </Button>
          )}
        </Group>
      </Group>
    </form>
  );
}
