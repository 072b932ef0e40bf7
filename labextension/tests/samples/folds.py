"""Write folds.json: what the Python fold makes of these samples, for the test of the other one.

python labextension/tests/samples/folds.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from nbagents.notebook.items import (
    FileItem,
    HandoffItem,
    NoteItem,
    QuestionItem,
    ResumedItem,
    RunNode,
    TextItem,
    ToolItem,
)
from nbagents.notebook.view import RunView
from nbagents.notebook.wire import RunDocument, codec

HERE = Path(__file__).parent


def told(item: Any) -> list[Any]:
    """Tell an item in a list whose first entry is its kind."""
    match item:
        case TextItem():
            return ["text", item.thinking, item.text]
        case FileItem():
            return ["file", item.part.media_type]
        case NoteItem():
            return ["note", False]
        case ResumedItem():
            return ["note", True]
        case HandoffItem():
            return ["handoff", item.source, item.target, item.reason]
        case QuestionItem():
            return ["question", item.asked.prompt, item.received is not None, item.is_open]
        case ToolItem():
            inside = [told(each) for each in (*item.questions, *item.runs)]
            text = "" if item.result is None else item.result.text
            return ["tool", item.name, item.status, item.args, text, item.seconds, inside]
        case RunNode():
            return ["run", told_run(item)]
    raise TypeError(item)


def told_run(node: RunNode) -> dict[str, Any]:
    """Tell a run and all that is in it."""
    cost = node.usage.cost
    return {
        "name": node.name,
        "kind": node.kind,
        "path": node.path,
        "model": node.model or "",
        "status": node.status,
        "reason": node.reason,
        "error": node.error,
        "tokens": [node.usage.input_tokens, node.usage.output_tokens, node.usage.cached_tokens],
        "cost": None if cost is None else float(cost),
        "waiting": node.waiting,
        "has_asked": node.has_asked,
        "leads_on": node.leads_on,
        "milliseconds": round(node.seconds(0) * 1000),
        "items": [told(item) for item in node.items],
    }


def fold_of(path: Path) -> dict[str, Any]:
    """Fold a document; of the nodes of its picture those are told that are not as they began."""
    document = codec(RunDocument).validate_json(path.read_bytes())
    view = RunView(document.events)
    assert view.root is not None
    now = document.events[-1].at
    states = {} if view.topology is None else view.states.of(view.topology, now)
    return {
        "root": told_run(view.root),
        "taken": sorted(view.states.taken),
        "states": {path: state.status for path, state in states.items()},
    }


if __name__ == "__main__":
    samples = sorted(HERE.glob("*.nbagents.json"))
    folds = {path.name.partition(".")[0]: fold_of(path) for path in samples}
    (HERE / "folds.json").write_text(json.dumps(folds, indent=2) + "\n")
