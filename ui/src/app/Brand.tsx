import { Group, Text } from "@mantine/core";
import { text } from "../text/en";

/** The mark and the name. */
export function Brand() {
  return (
    <Group gap={8} wrap="nowrap">
      <img src="/favicon.svg" alt="" width={24} height={24} />
      <Text fw={700} size="lg">
        {text.product}
      </Text>
    </Group>
  );
}
