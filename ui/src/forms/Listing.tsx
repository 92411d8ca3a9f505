import { Group, Pagination, Text, TextInput } from "@mantine/core";
import { useDebouncedCallback } from "@mantine/hooks";
import { IconSearch } from "@tabler/icons-react";
import { useState } from "react";
import { grouped } from "../format/numbers";
import { PAGE_ROWS } from "./list-search";

/** Searches while one types; the address follows. */
export function SearchBox({
  label,
  value,
  onChange,
}: {
  label: string;
  value: string | undefined;
  onChange: (next: string | undefined) => void;
}) {
  const [typed, setTyped] = useState(value ?? "");
  const [sent, setSent] = useState(value);
  // The way back of the browser changes the address without typing.
  if (value !== sent) {
    setSent(value);
    setTyped(value ?? "");
  }
  const send = useDebouncedCallback((next: string) => {
    const wanted = next.trim() || undefined;
    setSent(wanted);
    onChange(wanted);
  }, 300);
  return (
    <TextInput
      type="search"
      aria-label={label}
      placeholder={label}
      leftSection={<IconSearch size={16} aria-hidden />}
      maw={360}
      style={{ flex: "1 1 200px" }}
      value={typed}
      onChange={(event) => {
        setTyped(event.currentTarget.value);
        send(event.currentTarget.value);
      }}
    />
  );
}

/** Which page of how many. */
export function Pages({
  total,
  page = 1,
  onChange,
}: {
  total: number;
  page?: number | undefined;
  onChange: (page: number | undefined) => void;
}) {
  const from = Math.min((page - 1) * PAGE_ROWS + 1, total);
  const pages = Math.ceil(total / PAGE_ROWS);
  return (
    <Group justify="space-between" gap="sm">
      <Text size="sm" c="dimmed" role="status">
        {grouped(from)}–{grouped(Math.min(page * PAGE_ROWS, total))} of {grouped(total)}
      </Text>
      {pages > 1 && (
        <Pagination
          size="sm"
          total={pages}
          value={page}
          onChange={(next) => onChange(next === 1 ? undefined : next)}
          getItemProps={(each) => ({ "aria-label": `Page ${each}` })}
          getControlProps={(control) => ({ "aria-label": `${control} page` })}
        />
      )}
    </Group>
  );
}
