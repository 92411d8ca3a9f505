import { Table, VisuallyHidden } from "@mantine/core";
import type { ReactNode } from "react";
import "./StackTable.css";

export interface Column<T> {
  readonly key: string;
  readonly label: string;
  readonly cell: (row: T) => ReactNode;
  /** The label is only for those who listen: the cell says itself what it is. */
  readonly quiet?: boolean;
  readonly end?: boolean;
  readonly width?: number | string;
}

/** A table that becomes a list of blocks where the screen is narrow. */
export function StackTable<T>({
  label,
  rows,
  columns,
  rowKey,
}: {
  label: string;
  rows: readonly T[];
  columns: readonly Column<T>[];
  rowKey: (row: T) => string;
}) {
  return (
    <Table className="stack-table" role="table" aria-label={label} verticalSpacing={6} highlightOnHover>
      <Table.Thead role="rowgroup">
        <Table.Tr role="row">
          {columns.map((column) => (
            <Table.Th key={column.key} role="columnheader" w={column.width} ta={column.end ? "end" : "start"}>
              {column.quiet ? <VisuallyHidden>{column.label}</VisuallyHidden> : column.label}
            </Table.Th>
          ))}
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody role="rowgroup">
        {rows.map((row) => (
          <Table.Tr key={rowKey(row)} role="row" data-row={rowKey(row)}>
            {columns.map((column) => (
              <Table.Td
                key={column.key}
                role="cell"
                data-label={column.quiet ? undefined : column.label}
                ta={column.end ? "end" : "start"}
              >
                {column.cell(row)}
              </Table.Td>
            ))}
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}
