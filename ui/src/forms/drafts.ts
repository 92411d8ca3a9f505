import { create } from "zustand";
import { useMe } from "../app/session";
import { omit } from "../format/omit";

/**
 * What has been typed and not been saved, with the version that it is based on. It outlives the page that it was typed
 * on, and the end of a session, but not the tab: secrets may be among it, so it is written nowhere.
 */
export interface Draft<T> {
  readonly value: T;
  readonly base: T;
  readonly etag: string;
}

const useStore = create<{ readonly drafts: Readonly<Record<string, Draft<unknown>>> }>(() => ({
  drafts: {},
}));

/** The draft of the person who is logged in. */
export function useDraft<T>(name: string): [Draft<T> | undefined, (next: Draft<T> | undefined) => void] {
  const { username } = useMe();
  const key = `${username}/${name}`;
  const draft = useStore((store) => store.drafts[key]) as Draft<T> | undefined;
  const set = (next: Draft<T> | undefined) =>
    useStore.setState(({ drafts }) => {
      const others = omit(drafts, key);
      return { drafts: next ? { ...others, [key]: next } : others };
    });
  return [draft, set];
}
