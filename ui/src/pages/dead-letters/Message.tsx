import { Button, Code, CopyButton, Group, ScrollArea, SegmentedControl, Stack, Text } from "@mantine/core";
import { useMemo, useState } from "react";
import { bytes } from "../../format/numbers";
import { saveFile } from "../../parts/saveFile";
import { deadLetters as words } from "../../text/deadLetters";
import { text } from "../../text/en";
import { indented, preview } from "./messageText";

/** A message as text. It is never read and written anew, so what is copied is what the node sent. */
export function Message({ message, name }: { message: string; name: string }) {
  const [view, setView] = useState("indented");
  const shown = useMemo(() => {
    const begin = preview(message);
    return view === "indented" ? preview(indented(begin)) : begin;
  }, [message, view]);
  const isCut = preview(message).length < message.length;
  return (
    <Stack gap="xs">
      <Group gap="xs" justify="space-between">
        <SegmentedControl
          size="xs"
          aria-label={words.view}
          value={view}
          onChange={setView}
          data={[
            { value: "indented", label: words.indented },
            { value: "asis", label: words.asIs },
          ]}
        />
        <Group gap="xs">
          <CopyButton value={message}>
            {({ copied, copy }) => (
              <Button size="xs" variant="default" onClick={copy}>
                {copied ? text.state.copied : words.copy}
              </Button>
            )}
          </CopyButton>
          <Button
            size="xs"
            variant="default"
            onClick={() => saveFile(`dead-letter-${name.replaceAll("/", "-")}.json`, message)}
          >
            {words.download}
          </Button>
        </Group>
      </Group>
      {isCut && (
        <Text size="sm" role="status">
          {words.cut(bytes(preview(message).length), bytes(message.length))}
        </Text>
      )}
      <ScrollArea.Autosize
        mah="60vh"
        type="auto"
        viewportProps={{ tabIndex: 0, "aria-label": words.message, role: "region" }}
      >
        <Code block data-testid="message" style={{ whiteSpace: "pre-wrap", overflowWrap: "anywhere" }}>
          {shown}
        </Code>
      </ScrollArea.Autosize>
      {view === "indented" && (
        <Text size="xs" c="dimmed">
          {words.indentedHint}
        </Text>
      )}
    </Stack>
  );
}
