import { Button, Text } from "@mantine/core";
import { useState } from "react";
import type { AuditEntry } from "../../api/audit";
import { LinkAnchor } from "../../parts/LinkAnchor";
import { StackTable, type Column } from "../../parts/StackTable";
import { Ago, At } from "../../parts/Time";
import { audit as words } from "../../text/audit";
import { detailsOf } from "./changes";
import { DetailsView } from "./DetailsView";

/** Entries; details open below what was done. */
export function Entries({ entries }: { entries: readonly AuditEntry[] }) {
  const columns: Column<AuditEntry>[] = [
    {
      key: "time",
      label: words.time,
      width: 190,
      cell: (entry) => (
        <div>
          <At ms={entry.at} />
          <Text size="xs" c="dimmed" component="div">
            <Ago ms={entry.at} />
          </Text>
        </div>
      ),
    },
    {
      key: "who",
      label: words.who,
      cell: (entry) =>
        entry.user === "" ? (
          words.theNode
        ) : (
          <LinkAnchor to="/audit" search={(before) => ({ ...before, user: entry.user })} size="sm">
            {entry.user}
          </LinkAnchor>
        ),
    },
    {
      key: "what",
      label: words.what,
      cell: (entry) => (
        <LinkAnchor to="/audit" search={(before) => ({ ...before, action: entry.action })} size="sm">
          {entry.action}
        </LinkAnchor>
      ),
    },
    {
      key: "on",
      label: words.on,
      cell: (entry) => (
        <span>
          {entry.entity_kind}{" "}
          <LinkAnchor
            to="/audit"
            search={(before) => ({ ...before, kind: entry.entity_kind, id: entry.entity_id })}
            size="sm"
            underline="always"
          >
            {entry.entity_id}
          </LinkAnchor>
        </span>
      ),
    },
    {
      key: "where",
      label: words.where,
      cell: (entry) => detailsOf(entry.details).address ?? "–",
    },
    { key: "details", label: words.details, cell: (entry) => <Opened entry={entry} /> },
  ];
  return (
    <StackTable
      label={words.title}
      rows={entries}
      columns={columns}
      rowKey={(entry) => String(entry.sequence)}
    />
  );
}

function Opened({ entry }: { entry: AuditEntry }) {
  const [isOpen, setOpen] = useState(false);
  const details = detailsOf(entry.details);
  const isBare = !details.hasBefore && !details.hasAfter && details.others.length === 0;
  if (isBare)
    return (
      <Text span size="sm" c="dimmed">
        {words.noDetails}
      </Text>
    );
  const name = `${entry.action} ${entry.entity_id}`;
  return (
    <div style={{ minWidth: 0, flex: 1 }}>
      <Button
        size="compact-xs"
        variant="default"
        aria-expanded={isOpen}
        aria-label={`${isOpen ? words.hide : words.details}: ${name}`}
        onClick={() => setOpen(!isOpen)}
      >
        {isOpen ? words.hide : words.details}
      </Button>
      {isOpen && <DetailsView details={details} />}
    </div>
  );
}
