import { Code, Stack, Text } from "@mantine/core";
import { bytes } from "../../format/numbers";
import { StackTable, type Column } from "../../parts/StackTable";
import { audit as words } from "../../text/audit";
import type { Change, Details } from "./changes";

function Value({ json, sign }: { json: string | undefined; sign: string }) {
  if (json === undefined)
    return (
      <Text span size="xs" c="dimmed">
        {words.absent}
      </Text>
    );
  return (
    <Code style={{ overflowWrap: "anywhere", whiteSpace: "pre-wrap" }}>
      <span aria-hidden>{sign} </span>
      {json}
    </Code>
  );
}

const POINTER: Column<Change> = {
  key: "pointer",
  label: words.pointer,
  cell: (change) => <Code style={{ overflowWrap: "anywhere" }}>{change.pointer || "/"}</Code>,
};
const WAS: Column<Change> = {
  key: "was",
  label: words.was,
  cell: (change) => <Value json={change.was} sign="−" />,
};
const IS: Column<Change> = {
  key: "is",
  label: words.is,
  cell: (change) => <Value json={change.is} sign="+" />,
};

/** What was before and after, place by place; then what else the entry says. */
export function DetailsView({ details }: { details: Details }) {
  const { changed, hasBefore, hasAfter, others } = details;
  const isBoth = hasBefore && hasAfter;
  const columns = [POINTER, ...(hasBefore ? [WAS] : []), ...(hasAfter ? [IS] : [])];
  return (
    <Stack gap="xs" mt="xs">
      {changed.length > 0 && (
        <>
          <Text size="xs" c="dimmed">
            {isBoth ? words.diff : hasAfter ? words.made : words.gone}
          </Text>
          <StackTable
            label={words.diff}
            rows={changed}
            columns={columns}
            rowKey={(change) => change.pointer}
          />
        </>
      )}
      {isBoth && changed.length === 0 && <Text size="sm">{words.same}</Text>}
      {others.length > 0 && (
        <dl className="facts">
          {others.map(([name, value]) => (
            <Other key={name} name={name} value={value} />
          ))}
        </dl>
      )}
    </Stack>
  );
}

function Other({ name, value }: { name: string; value: string }) {
  const isLeftOut = name === "left_out_bytes";
  return (
    <>
      <Text component="dt" size="sm" c="dimmed">
        {name}
      </Text>
      <Text component="dd" size="sm">
        {isLeftOut ? words.leftOut(bytes(Number(value))) : value}
      </Text>
    </>
  );
}
