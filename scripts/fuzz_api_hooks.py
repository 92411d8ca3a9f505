"""Helps schemathesis, which knows no node, to names that exist, and to the present version of what it changes.

Only requests that fit the document are helped: what is wrong on purpose stays wrong.
"""

import os
import random
import urllib.request

import schemathesis
from schemathesis.generation import GenerationMode

TOKEN = os.environ["HERMOD_FUZZ_TOKEN"]
NAME = "seed"


def present_tag(address):
    request = urllib.request.Request(address, headers={"Authorization": f"Bearer {TOKEN}"})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.headers.get("ETag")
    except OSError:
        return None


@schemathesis.hook
def before_call(context, case, kwargs):
    if case.meta is None or case.meta.generation.mode != GenerationMode.POSITIVE:
        return
    path = case.path_parameters or {}
    for name in ("id", "name"):
        if name in path and random.random() < 0.6:
            path[name] = NAME
    if "direction" in path and random.random() < 0.6:
        path.update({"direction": "sink", "type": "file"})
    headers = case.headers if case.headers is not None else {}
    if "If-Match" in headers and random.random() < 0.7:
        address = case.operation.base_url.rstrip("/") + case.formatted_path
        tag = present_tag(address.removesuffix("/rollback/" + str(path.get("version"))))
        if tag:
            headers["If-Match"] = tag
    body = case.body
    if isinstance(body, dict) and random.random() < 0.6:
        if case.operation.label.endswith(("/sources", "/sources/{id}", "/sources/test")):
            body.update({"type": "webhook", "config": {"path": "in"}})
        elif case.operation.label.endswith(("/sinks", "/sinks/{id}", "/sinks/test")):
            body.update({"type": "file", "config": {"filename": "out.ndjson"}})
        elif case.operation.label.endswith(("/workflows", "/workflows/{id}")):
            body.update(
                {
                    "nodes": [
                        {"id": "in", "type": "source", "ref_id": NAME},
                        {"id": "out", "type": "sink", "ref_id": NAME},
                    ],
                    "edges": [{"id": "e", "source_id": "in", "target_id": "out"}],
                }
            )
        for member in ("id", "workflow_id"):
            if member in body and "id" in path:
                body[member] = path["id"]
