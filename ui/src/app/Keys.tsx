import { ActionIcon, Button, Group, Kbd } from "@mantine/core";
import { useHotkeys } from "@mantine/hooks";
import { IconKeyboard, IconSearch } from "@tabler/icons-react";
import { lazy, Suspense, useState } from "react";
import { commandText } from "../text/dashboard";

// Both come when they are first asked for: the first load does not carry them.
const Commands = lazy(() => import("./Commands").then((module) => ({ default: module.Commands })));
const Help = lazy(() => import("./Help").then((module) => ({ default: module.Help })));

/** The keys that hold on every page, and their buttons for those who use a pointer. */
export function Keys() {
  const [searched, setSearched] = useState(false);
  const [helping, setHelping] = useState(false);
  const search = () => {
    setSearched(true);
    void import("./Commands").then((module) => module.openCommands());
  };
  // Ctrl+K holds within fields too; `?` there is a character.
  useHotkeys([["mod+K", search]], []);
  useHotkeys([
    ["shift+?", () => setHelping(true)],
    ["?", () => setHelping(true)],
  ]);
  return (
    <Group gap={4} wrap="nowrap">
      <Button
        variant="default"
        size="xs"
        visibleFrom="sm"
        leftSection={<IconSearch size={16} aria-hidden />}
        rightSection={<Kbd size="xs">Ctrl K</Kbd>}
        onClick={search}
      >
        {commandText.open}
      </Button>
      <ActionIcon
        variant="subtle"
        color="gray"
        size="lg"
        hiddenFrom="sm"
        aria-label={commandText.open}
        onClick={search}
      >
        <IconSearch size={18} aria-hidden />
      </ActionIcon>
      <ActionIcon
        variant="subtle"
        color="gray"
        size="lg"
        visibleFrom="sm"
        aria-label={commandText.help}
        onClick={() => setHelping(true)}
      >
        <IconKeyboard size={18} aria-hidden />
      </ActionIcon>
      <Suspense fallback={null}>
        {searched && <Commands />}
        {helping && <Help onClose={() => setHelping(false)} />}
      </Suspense>
    </Group>
  );
}
