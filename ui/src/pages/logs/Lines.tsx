import { ActionIcon, Badge, CopyButton, Text, Tooltip } from "@mantine/core";
import { IconCheck, IconCopy } from "@tabler/icons-react";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useRef } from "react";
import type { LogLevel, LogLine } from "../../api/logs";
import { useZone } from "../../app/clock";
import { absolute } from "../../format/time";
import { LinkAnchor } from "../../parts/LinkAnchor";
import { logs as words } from "../../text/logs";
import { text } from "../../text/en";
import "./logs.css";

/** Within so many pixels of the end one counts as being there. */
const END_PX = 24;

const LOOKS: Readonly<Record<LogLevel, { color: string; shape: string }>> = {
  error: { color: "red", shape: "✕" },
  warn: { color: "yellow", shape: "▲" },
  info: { color: "blue", shape: "●" },
  debug: { color: "gray", shape: "·" },
};

interface Props {
  lines: readonly LogLine[];
  follows: boolean;
  pause: () => void;
  resume: () => void;
}

/** Lines in a window of their own. It follows while it is at the end; whoever scrolls up holds it still. */
export function Lines({ lines, follows, pause, resume }: Props) {
  const place = useRef<HTMLDivElement>(null);
  // eslint-disable-next-line react-hooks/incompatible-library -- The compiler is not used.
  const rows = useVirtualizer({
    count: lines.length,
    getScrollElement: () => place.current,
    estimateSize: () => 30,
    overscan: 20,
    getItemKey: (at) => lines[at]?.sequence ?? at,
  });
  const height = rows.getTotalSize();
  useEffect(() => {
    if (follows && place.current) place.current.scrollTop = place.current.scrollHeight;
  }, [follows, height, lines]);
  const top = useRef(0);
  const onScroll = () => {
    const element = place.current;
    if (!element) return;
    const wentUp = element.scrollTop < top.current - 1;
    top.current = element.scrollTop;
    const isAtEnd = element.scrollHeight - element.scrollTop - element.clientHeight < END_PX;
    if (follows && wentUp && !isAtEnd) pause();
    if (!follows && isAtEnd && !wentUp) resume();
  };
  return (
    <div
      ref={place}
      className="log"
      role="log"
      aria-live="off"
      aria-label={words.title}
      tabIndex={0}
      onScroll={onScroll}
    >
      <div style={{ height, position: "relative" }}>
        {rows.getVirtualItems().map((item) => {
          const line = lines[item.index];
          return (
            line && (
              <div
                key={item.key}
                ref={rows.measureElement}
                data-index={item.index}
                data-sequence={line.sequence}
                className="log-row"
                style={{ transform: `translateY(${item.start}px)` }}
              >
                <Line line={line} />
              </div>
            )
          );
        })}
      </div>
    </div>
  );
}

function Line({ line }: { line: LogLine }) {
  const zone = useZone((state) => state.zone);
  const look = LOOKS[line.level];
  const time = absolute(line.at_ms, zone);
  const ms = String(line.at_ms % 1000).padStart(3, "0");
  return (
    <>
      <time className="log-time" dateTime={new Date(line.at_ms).toISOString()} title={time}>
        {time.slice(11, 19)}.{ms}
      </time>
      <Badge
        size="sm"
        variant="outline"
        color={look.color}
        tt="none"
        className="log-level"
        leftSection={<span aria-hidden>{look.shape}</span>}
      >
        {line.level}
      </Badge>
      <span className="log-text">
        {line.workflow != null && (
          <LinkAnchor
            className="log-workflow"
            to="/logs"
            search={(before) => ({ ...before, workflow: line.workflow ?? "" })}
            aria-label={words.only(line.workflow)}
          >
            {line.workflow}
          </LinkAnchor>
        )}
        <Text span size="xs" c="dimmed">
          {line.target}
        </Text>{" "}
        {line.message}
      </span>
      <CopyButton value={JSON.stringify(line)}>
        {({ copied, copy }) => (
          <Tooltip label={copied ? text.state.copied : words.copy}>
            <ActionIcon variant="subtle" color="gray" size={24} onClick={copy} aria-label={words.copy}>
              {copied ? <IconCheck size={16} aria-hidden /> : <IconCopy size={16} aria-hidden />}
            </ActionIcon>
          </Tooltip>
        )}
      </CopyButton>
    </>
  );
}
