import { Anchor, Stack, Table, Text, Title } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import type { JsonObject } from "../../format/exact";
import { workflowText } from "../../text/workflows";
import { graphOf, type GraphNode } from "./graph-of";

const text = workflowText.graph;
const wrap = { overflowWrap: "anywhere" } as const;

/** The graph as a table: what it says to those who see no picture, and where there is no room for one. */
export function Graph({ document }: { document: JsonObject }) {
  const { nodes, edges } = graphOf(document);
  return (
    <Stack gap="lg">
      <section aria-label={text.nodes}>
        <Title order={2} mb="xs">
          {text.nodes}
        </Title>
        <Table aria-label={text.nodes} layout="fixed">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{text.id}</Table.Th>
              <Table.Th>{text.what}</Table.Th>
              <Table.Th>{text.leads}</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {nodes.map((node) => (
              <Table.Tr key={node.id}>
                <Table.Td style={wrap}>
                  {node.id}
                  <Text size="xs" c="dimmed">
                    {node.type}
                  </Text>
                </Table.Td>
                <Table.Td style={wrap}>
                  <Reference node={node} />
                  {node.what}
                </Table.Td>
                <Table.Td style={wrap}>{node.leadsTo.join(", ") || "–"}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </section>
      <section aria-label={text.edges}>
        <Title order={2} mb="xs">
          {text.edges}
        </Title>
        {edges.length === 0 && <Text c="dimmed">{text.noEdges}</Text>}
        {edges.length > 0 && (
          <Table aria-label={text.edges} layout="fixed">
            <Table.Thead>
              <Table.Tr>
                <Table.Th>{text.edge}</Table.Th>
                <Table.Th>{text.from}</Table.Th>
                <Table.Th>{text.to}</Table.Th>
                <Table.Th>{text.branch}</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {edges.map((edge, at) => (
                <Table.Tr key={edge.id || at}>
                  <Table.Td style={wrap}>{edge.id || "–"}</Table.Td>
                  <Table.Td style={wrap}>{edge.from}</Table.Td>
                  <Table.Td style={wrap}>{edge.to}</Table.Td>
                  <Table.Td style={wrap}>{edge.branch || "–"}</Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        )}
      </section>
    </Stack>
  );
}

function Reference({ node }: { node: GraphNode }) {
  const { ref, type } = node;
  if (ref === undefined) return null;
  if (type !== "source" && type !== "sink") return <>{ref} </>;
  return (
    <Anchor component={Link} to={`/${type}s/$id`} params={{ id: ref } as never}>
      {ref}
    </Anchor>
  );
}
