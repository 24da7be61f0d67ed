"""Renders what a pull request changes as Markdown: `python -m tools.pull_request_comment FOLDER`.

Owns the text of the comment and its bounds; posting it is the workflow's. The folder comes from a
run of untrusted code, so everything in it is data: files are read only under fixed names and up to
a size, nothing is followed or executed, and text ends up in fenced blocks that it cannot close.

What is read for each stack:
    head-<stack>.json   `python -m sandbox preview --json` of the head, over the base's state
    base-<stack>.json   `python -m sandbox demo --json` of the base; absent when it has none
    real-<stack>.txt    output of a real `pulumi preview`; absent without credentials
"""

import argparse
import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, cast

MARKER: Final = "<!-- llmp:preview -->"
"""The first line of the comment: the workflow finds the one to update by it."""

# GitHub refuses a comment of more than 65,536 characters.
MOST_CHARACTERS: Final = 60_000
MOST_BLOCK_CHARACTERS: Final = 8_000
MOST_LINE_CHARACTERS: Final = 300
MOST_FILE_BYTES: Final = 8_000_000
MOST_STACKS: Final = 10
MOST_DOLLARS: Final = 10**12
SHORTEST_FENCE: Final = 3

STACK_FILE: Final = re.compile(r"(?:head|base|real)-([a-z0-9][a-z0-9-]{0,39})\.(?:json|txt)")
# Control characters, and those that make a text read other than it is (bidirectional, zero width).
HIDDEN: Final = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]"
)
ESCAPE_SEQUENCE: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
UNCHANGED: Final = frozenset({"same", "read", "refresh"})
SYMBOLS: Final = {"create": "+", "delete": "-", "replace": "!", "update": "~"}

Document = Mapping[str, Any]


def read_text(path: Path) -> str | None:
    """Reads a regular file up to `MOST_FILE_BYTES`; None when there is none."""
    if path.is_symlink() or not path.is_file():
        return None
    with path.open("rb") as handle:
        return handle.read(MOST_FILE_BYTES).decode("utf-8", errors="replace")


def read_document(path: Path) -> Document | None:
    """Reads a JSON object; None when there is none, an `errors` entry when it can't be read."""
    text = read_text(path)
    if text is None:
        return None
    try:
        found: object = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        return {"errors": [{"message": "the run left no readable result; see its log"}]}
    return cast("Document", found)


def entries(document: Document | None, key: str) -> list[Document]:
    """The objects of a list; whatever is no object is dropped."""
    found: object = (document or {}).get(key)
    if not isinstance(found, list):
        return []
    listed = cast("list[object]", found)
    return [cast("Document", item) for item in listed if isinstance(item, dict)]


def text_of(item: Document, key: str) -> str:
    """A field as one line of visible text."""
    found: object = item.get(key)
    if found is None:
        return ""
    if isinstance(found, list):
        return ", ".join(visible(str(part)) for part in cast("list[object]", found))
    return visible(str(found))


def visible(text: str) -> str:
    """One line without hidden characters, cut to `MOST_LINE_CHARACTERS`."""
    plain = HIDDEN.sub("", ESCAPE_SEQUENCE.sub("", text)).replace("\n", " ").replace("\t", " ")
    if len(plain) > MOST_LINE_CHARACTERS:
        return plain[: MOST_LINE_CHARACTERS - 1] + "…"
    return plain


def block(lines: Sequence[str], language: str = "") -> str:
    """A fenced block that its content can't close, cut to `MOST_BLOCK_CHARACTERS`."""
    kept: list[str] = []
    room = MOST_BLOCK_CHARACTERS
    for line in lines:
        shown = visible(line)
        if len(shown) >= room:
            break
        kept.append(shown)
        room -= len(shown) + 1
    if len(kept) < len(lines):
        kept.append(f"… {len(lines) - len(kept)} more lines")
    content = "\n".join(kept)
    longest = max((len(run) for run in re.findall(r"`+", content)), default=0)
    fence = "`" * max(SHORTEST_FENCE, longest + 1)
    return f"{fence}{language}\n{content}\n{fence}"


def resource_lines(head: Document) -> list[str]:
    """A line per resource that the pull request makes, changes, replaces or deletes."""
    lines: list[str] = []
    for item in entries(head, "resources"):
        operation = text_of(item, "operation")
        if operation in UNCHANGED:
            continue
        symbol = SYMBOLS.get(operation, "!" if "replace" in operation else "~")
        lines.append(f"{symbol} {text_of(item, 'type')} {text_of(item, 'name')} ({operation})")
    return lines


def application_lines(base: Document | None, head: Document) -> list[str]:
    """A line per Application that comes, goes, or changes its source, version or requirements."""
    fields = ("version", "source", "requires", "sync")
    before = {text_of(item, "name"): item for item in entries(base, "applications")}
    after = {text_of(item, "name"): item for item in entries(head, "applications")}
    lines: list[str] = []
    for name, item in after.items():
        if name not in before:
            lines.append(f"+ {name} {text_of(item, 'version')}".rstrip())
            continue
        old = before[name]
        lines += [
            f"~ {name}: {field} {text_of(old, field) or 'none'} -> {text_of(item, field) or 'none'}"
            for field in fields
            if text_of(old, field) != text_of(item, field)
        ]
    lines += [f"- {name}" for name in before if name not in after]
    return lines


def number_of(document: Document | None, key: str) -> float | None:
    """A number out of the cost estimate."""
    cost: object = (document or {}).get("cost")
    if not isinstance(cost, dict):
        return None
    found = cast("Document", cost).get(key)
    if isinstance(found, bool) or not isinstance(found, int | float):
        return None
    return float(found) if abs(found) < MOST_DOLLARS else None


def cost_line(base: Document | None, head: Document) -> str:
    """What a stack costs a month by list prices, idle and at its limits, and the difference."""
    parts: list[str] = []
    cost: object = head.get("cost")
    currency = text_of(cast("Document", cost), "currency") if isinstance(cost, dict) else ""
    sign = {"USD": "$", "EUR": "€"}.get(currency, "")
    for key, words in (("monthly_idle", "idle"), ("monthly_max", "at all limits")):
        now, then = number_of(head, key), number_of(base, key)
        if now is None:
            continue
        part = f"{sign}{now:,.0f} a month {words}"
        if then is not None:
            part += f" ({now - then:+,.0f})"
        parts.append(part)
    return f"List prices: {', '.join(parts)}." if parts else "List prices: no estimate."


def counts(head: Document) -> str:
    """The numbers per operation, in words."""
    operations: object = head.get("operations")
    if not isinstance(operations, dict):
        return "nothing known"
    pairs = cast("dict[object, object]", operations).items()
    shown = [f"{count} {visible(str(name))}" for name, count in pairs if isinstance(count, int)]
    # The names are data of the run as well: only plain words may leave a fenced block.
    return ", ".join(one for one in shown if re.fullmatch(r"[0-9]+ [a-z-]+", one)) or "no changes"


def stack_section(folder: Path, stack: str) -> str:
    """The part of the comment about one stack."""
    head = read_document(folder / f"head-{stack}.json")
    base = read_document(folder / f"base-{stack}.json")
    real = read_text(folder / f"real-{stack}.txt")
    parts = [f"### `{stack}`"]
    if head is None:
        parts.append("The sandbox preview left no result.")
    elif entries(head, "errors"):
        parts.append("**The sandbox preview fails.**")
        problems = entries(head, "errors")
        parts.append(
            block([f"{text_of(p, 'path')} {text_of(p, 'message')}".strip() for p in problems])
        )
    else:
        if base is None or entries(base, "errors"):
            parts.append("The base branch has no such stack to compare with: all is new.")
            base = None
        parts.append(f"Sandbox: {counts(head)}. {cost_line(base, head)}")
        parts.append(details("Resources", resource_lines(head)))
        parts.append(details("Applications", application_lines(base, head)))
    if real is not None:
        parts.append(details("Real `pulumi preview`", real.splitlines(), language=""))
    return "\n\n".join(parts)


def details(title: str, lines: Sequence[str], language: str = "diff") -> str:
    """A part that is folded away unless it is short."""
    if not lines:
        return f"{title}: no change."
    return (
        f"<details><summary>{title.replace('`', '')}: {len(lines)} lines</summary>\n\n"
        f"{block(lines, language)}\n\n</details>"
    )


def render(folder: Path) -> str:
    """The whole comment; never longer than `MOST_CHARACTERS`."""
    names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    matches = [STACK_FILE.fullmatch(name) for name in names]
    stacks = sorted({match[1] for match in matches if match is not None})[:MOST_STACKS]
    parts = [MARKER, "## What this pull request changes"]
    if not stacks:
        parts.append("The preview left no results.")
    room = MOST_CHARACTERS
    for stack in stacks:
        section = stack_section(folder, stack)
        room -= len(section) + 2
        if room < 0:
            section = f"### `{stack}`\n\nToo long to show here; see the workflow run."
        parts.append(section)
    return "\n\n".join(parts) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point: prints the comment."""
    parser = argparse.ArgumentParser(prog="python -m tools.pull_request_comment")
    parser.add_argument("folder", type=Path, help="where the results of the previews are")
    options = parser.parse_args(arguments)
    folder: Path = options.folder
    print(render(folder), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
