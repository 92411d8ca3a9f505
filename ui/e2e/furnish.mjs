// Something to see: workflows of which one cannot deliver, people, a token, settings.
import { addPerson, ask } from "./browser.mjs";

const delivers = `workflow:
  id: orders
  name: Orders to a file
  acknowledge: durable
  nodes:
    - { id: in, type: source, ref_id: orders-webhook }
    - { id: out, type: sink, ref_id: orders-file }
  edges:
    - { id: in-out, source_id: in, target_id: out }
sources:
  - { id: orders-webhook, name: Orders, type: webhook, config: { path: orders } }
sinks:
  - { id: orders-file, name: Orders as lines of JSON, type: file, config: { filename: orders.ndjson } }
`;

/** Its sink refuses: nothing listens there. */
const stalls = `workflow:
  id: invoices-to-a-service-that-is-away
  name: Invoices
  acknowledge: durable
  nodes:
    - { id: in, type: source, ref_id: invoices-webhook }
    - { id: out, type: sink, ref_id: invoices-http }
  edges:
    - { id: in-out, source_id: in, target_id: out }
sources:
  - { id: invoices-webhook, name: Invoices, type: webhook, config: { path: invoices } }
sinks:
  - { id: invoices-http, name: Accounting, type: http, config: { url: "http://127.0.0.1:9/invoices" } }
`;

export const WORKFLOWS = { "orders.yaml": delivers, "invoices.yaml": stalls };

/** Fills the node that `page` is logged in at as its administrator. */
export async function furnish(page, node) {
  await addPerson(page, "edda", "Editor");
  await addPerson(page, "vera.of-a-very-long-name-that-has-to-break", "Viewer");
  await ask(page, "POST", "/api/tokens", { name: "deploys", role: "Editor", expires_in_days: 90 });
  await ask(page, "PUT", "/api/settings/mail.server", { value: { host: "mail.example.org", port: 587 } });
  await ask(page, "PUT", "/api/settings/mail.password", { value: "not to be shown" });
  for (const path of ["orders", "invoices"]) {
    for (let number = 0; number < 5; number += 1) {
      await fetch(`${node.origin}/api/webhooks/${path}`, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ number }),
      });
    }
  }
}
