import { ActionIcon, Badge, Group, Menu, Table, Text } from "@mantine/core";
import { IconDots, IconKey, IconPencil, IconTrash } from "@tabler/icons-react";
import type { Person } from "../../api/people";
import { useMe } from "../../app/session";
import { Ago } from "../../parts/Time";
import { peopleText } from "../../text/people";
import type { Dialog } from "./search";

type Open = (dialog: Dialog, who: string) => void;

/** People of one page; on a narrow screen only who they are and what they may. */
export function PeopleTable({ people, onOpen }: { people: readonly Person[]; onOpen: Open }) {
  const { columns } = peopleText;
  return (
    <Table verticalSpacing="xs">
      <Table.Thead>
        <Table.Tr>
          <Table.Th>{columns.who}</Table.Th>
          <Table.Th>{columns.role}</Table.Th>
          <Table.Th visibleFrom="md">{columns.email}</Table.Th>
          <Table.Th visibleFrom="sm">{columns.changed}</Table.Th>
          <Table.Th w={80}>{columns.actions}</Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {people.map((person) => (
          <PersonRow key={person.username} person={person} onOpen={onOpen} />
        ))}
      </Table.Tbody>
    </Table>
  );
}

function PersonRow({ person, onOpen }: { person: Person; onOpen: Open }) {
  const me = useMe();
  return (
    <Table.Tr data-person={person.username}>
      <Table.Td style={{ overflowWrap: "anywhere" }}>
        <Group gap={6}>
          <Text size="sm" fw={600}>
            {person.username}
          </Text>
          {person.username === me.username && (
            <Badge variant="default" tt="none" size="sm">
              {peopleText.you}
            </Badge>
          )}
          {person.disabled && (
            <Badge variant="default" tt="none" size="sm" leftSection={<span aria-hidden>■</span>}>
              {peopleText.disabled}
            </Badge>
          )}
        </Group>
        {person.full_name && (
          <Text size="sm" c="dimmed">
            {person.full_name}
          </Text>
        )}
      </Table.Td>
      <Table.Td>{person.role}</Table.Td>
      <Table.Td visibleFrom="md" style={{ overflowWrap: "anywhere" }}>
        {person.email || "–"}
      </Table.Td>
      <Table.Td visibleFrom="sm">
        <Ago ms={person.changed_at} />
      </Table.Td>
      <Table.Td>
        <Menu position="bottom-end" width={220}>
          <Menu.Target>
            <ActionIcon
              variant="subtle"
              color="gray"
              size="lg"
              aria-label={peopleText.actionsOf(person.username)}
            >
              <IconDots size={18} aria-hidden />
            </ActionIcon>
          </Menu.Target>
          <Menu.Dropdown>
            <Menu.Item
              leftSection={<IconPencil size={16} aria-hidden />}
              onClick={() => onOpen("change", person.username)}
            >
              {peopleText.change}
            </Menu.Item>
            <Menu.Item
              leftSection={<IconKey size={16} aria-hidden />}
              onClick={() => onOpen("password", person.username)}
            >
              {peopleText.reset}
            </Menu.Item>
            <Menu.Item
              leftSection={<IconTrash size={16} aria-hidden />}
              onClick={() => onOpen("remove", person.username)}
            >
              {peopleText.remove}
            </Menu.Item>
          </Menu.Dropdown>
        </Menu>
      </Table.Td>
    </Table.Tr>
  );
}
