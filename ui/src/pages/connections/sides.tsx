import { useParams, useSearch } from "@tanstack/react-router";
import { ConnectionPage } from "./ConnectionPage";
import { ConnectionsPage } from "./ConnectionsPage";
import { NewConnectionPage } from "./NewConnectionPage";

export function SourcesPage() {
  return <ConnectionsPage side="sources" search={useSearch({ from: "/inside/sources" })} />;
}

export function SinksPage() {
  return <ConnectionsPage side="sinks" search={useSearch({ from: "/inside/sinks" })} />;
}

export function NewSourcePage() {
  return <NewConnectionPage side="sources" type={useSearch({ from: "/inside/sources/-new" }).type} />;
}

export function NewSinkPage() {
  return <NewConnectionPage side="sinks" type={useSearch({ from: "/inside/sinks/-new" }).type} />;
}

export function SourcePage() {
  const { id } = useParams({ from: "/inside/sources/$id" });
  return <ConnectionPage key={id} side="sources" id={id} />;
}

export function SinkPage() {
  const { id } = useParams({ from: "/inside/sinks/$id" });
  return <ConnectionPage key={id} side="sinks" id={id} />;
}
