import { Box, ScrollArea, Table, Text, VisuallyHidden } from "@mantine/core";
import { useMemo } from "react";
import { diffLines, excerpt, type DiffLine } from "../format/diff";
import { connectionText } from "../text/connections";

const text = connectionText.diff;
const SIGNS = { gone: "−", new: "+", same: "" } as const;
const COLORS = { gone: "red", new: "teal", same: undefined } as const;

/** Two texts compared line by line: sign, word and colour. */
export function Diff({ before, after, label }: { before: string; after: string; label: string }) {
  const lines = useMemo(() => diffLines(before, after), [before, after]);
  const shown = useMemo(() => excerpt(lines), [lines]);
  if (lines.every((line) => line.kind === "same")) {
    return (
      <Text size="sm" c="dimmed">
        {text.none}
      </Text>
    );
  }
  return (
    <Box bg="var(--mantine-color-body)" style={{ border: "1px solid var(--mantine-color-default-border)" }}>
      <ScrollArea.Autosize mah={420} type="auto" viewportProps={{ tabIndex: 0, "aria-label": label }}>
        <Table withRowBorders={false} verticalSpacing={0} fz="xs" aria-label={label}>
          <Table.Tbody>
            {shown.map((line, at) => (line ? <Line key={at} line={line} /> : <Left key={at} />))}
          </Table.Tbody>
        </Table>
      </ScrollArea.Autosize>
    </Box>
  );
}

function Line({ line }: { line: DiffLine }) {
  const color = COLORS[line.kind];
  return (
    <Table.Tr {...(color ? { bg: `var(--mantine-color-${color}-light)` } : {})} data-kind={line.kind}>
      <Table.Td c="dimmed" ta="right" w={36} px={4}>
        {line.after ?? line.before}
      </Table.Td>
      <Table.Td w={16} px={4}>
        <span aria-hidden>{SIGNS[line.kind]}</span>
        <VisuallyHidden>{text[line.kind]}</VisuallyHidden>
      </Table.Td>
      <Table.Td ff="monospace" px={4} style={{ whiteSpace: "pre-wrap", overflowWrap: "anywhere" }}>
        {line.text}
      </Table.Td>
    </Table.Tr>
  );
}

function Left() {
  return (
    <Table.Tr>
      <Table.Td colSpan={3} c="dimmed" ta="center">
        <span aria-hidden>⋯</span>
        <VisuallyHidden>{text.left}</VisuallyHidden>
      </Table.Td>
    </Table.Tr>
  );
}
