import { Group, Kbd, Modal, Table } from "@mantine/core";
import { commandText } from "../text/dashboard";
import { text } from "../text/en";

/** The keys. */
export function Help({ onClose }: { onClose: () => void }) {
  return (
    <Modal
      opened
      onClose={onClose}
      title={commandText.helpTitle}
      closeButtonProps={{ "aria-label": text.action.close }}
    >
      <Table>
        <Table.Tbody>
          {commandText.keys.map(({ keys, does }) => (
            <Table.Tr key={does}>
              <Table.Td w={120}>
                <Group gap={4}>
                  {keys.map((key) => (
                    <Kbd key={key}>{key}</Kbd>
                  ))}
                </Group>
              </Table.Td>
              <Table.Td>{does}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Modal>
  );
}
