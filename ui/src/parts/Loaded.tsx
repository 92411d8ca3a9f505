import { Skeleton, Stack, VisuallyHidden } from "@mantine/core";
import { useTimeout } from "@mantine/hooks";
import type { UseQueryResult } from "@tanstack/react-query";
import { useState, type ReactNode } from "react";
import { text } from "../text/en";
import { Failure } from "./Failure";

/** Shows what a question was answered with. What was there before stays, with the failure above it. */
export function Loaded<T>({
  query,
  children,
}: {
  query: UseQueryResult<T>;
  children: (data: T) => ReactNode;
}) {
  const retry = () => void query.refetch();
  if (query.data !== undefined) {
    return (
      <>
        {query.error && <Failure error={query.error} retry={retry} />}
        {children(query.data)}
      </>
    );
  }
  return query.error ? <Failure error={query.error} retry={retry} /> : <Loading />;
}

/** Grey shapes, after a moment: what comes at once does not flash. */
export function Loading() {
  const [shown, setShown] = useState(false);
  useTimeout(() => setShown(true), 300, { autoInvoke: true });
  return (
    <Stack gap="xs" mih={180} aria-busy>
      <VisuallyHidden role="status">{text.state.loading}</VisuallyHidden>
      {shown && [90, 75, 82, 60].map((width) => <Skeleton key={width} h={28} w={`${width}%`} />)}
    </Stack>
  );
}
