"""Reads the YAML of a stack file, and what PyYAML would take without a word.

A key that stands twice, a value that holds itself, an encrypted value, a type that only YAML has:
each is a problem of its own here, with its line. What the stack object must hold is not known here.
"""

import difflib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, cast

import yaml

from stacks.config.problems import ConfigError, Location, Problem, mapping, path_of

CONFIG_KEY: Final = "llmp:stack"
"""The one Pulumi config key of this program."""

_NAMESPACE: Final = "llmp:"
_MOST_VALUES: Final = 200_000
"""Values of a file, its aliases written out: far over any stack, far under what fills memory."""
_TAG: Final = "tag:yaml.org,2002:"
_PLAIN_TAGS: Final = frozenset(
    _TAG + name for name in ("bool", "float", "int", "map", "null", "seq", "str", "timestamp")
)
_STRING_TAG: Final = _TAG + "str"
_MERGE_TAG: Final = _TAG + "merge"


@dataclass(frozen=True, kw_only=True, slots=True)
class Document:
    """The stack object of a file."""

    stack: object
    """As YAML data; of a key that stands twice, the last."""
    problems: tuple[Problem, ...]
    """What is wrong with the way it is written."""


def read_document(path: Path) -> Document:
    """Return the stack object of a `Pulumi.<stack>.yaml`.

    Raises:
        ConfigError: the file holds no stack object that could be looked at.
    """
    source = str(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        message = f"cannot be read: {error.strerror}"
        raise _file_error(source, message, "give a file that you may read") from error
    except UnicodeDecodeError as error:
        raise _file_error(source, "is not UTF-8 text", "save it as UTF-8") from error
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        walk = _Walk()
        walk.values(node, ())
        if walk.stops:
            raise ConfigError(walk.problems, source)
        document: object = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise _file_error(source, *_yaml_error(error, text)) from error
    except RecursionError as error:
        raise _file_error(source, "is nested too deeply", "write fewer levels") from error
    except ValueError as error:
        # A date or a number that looks like one and is none, such as 2026-13-45.
        message = f"holds a value that cannot be read: {error}"
        raise _file_error(source, message, "put the value in quotes") from error
    config = mapping(mapping(document).get("config"))
    if config.get(CONFIG_KEY) is None:
        raise _file_error(source, *_absence(document, config))
    strange = [
        Problem(
            path=str(key),
            message="is no config key of this program, which reads `llmp:stack` alone",
            fix=f"write it as a key below `{CONFIG_KEY}:`, or remove it",
        )
        for key in config
        if str(key).startswith(_NAMESPACE) and key != CONFIG_KEY
    ]
    return Document(stack=config[CONFIG_KEY], problems=(*walk.problems, *strange))


@dataclass(kw_only=True, slots=True)
class _Walk:
    """One walk over the nodes of a file."""

    problems: list[Problem] = field(default_factory=list[Problem])
    stops: bool = False
    """Whether the file cannot be turned into data at all."""
    _above: set[int] = field(default_factory=set[int])
    _sizes: dict[int, int] = field(default_factory=dict[int, int])

    def values(self, node: yaml.Node | None, location: Location) -> int:
        """Look at a node and all below it; return how many values it is, aliases written out."""
        if node is None:
            return 0
        if id(node) in self._above:
            self._say(location, node, "holds itself", "write the value out instead of the alias")
            self.stops = True
            return 1
        if id(node) in self._sizes:
            return self._sizes[id(node)]
        if node.tag not in _PLAIN_TAGS:
            name = node.tag.replace(_TAG, "!!")
            self._say(location, node, f"is tagged {name}", "remove the tag and write a plain value")
            self.stops = True
            return 1
        self._above.add(id(node))
        size = 1
        if isinstance(node, yaml.MappingNode):
            size += self._mapping(node, location)
        elif isinstance(node, yaml.SequenceNode):
            for index, element in enumerate(cast("list[yaml.Node]", node.value)):
                size += self.values(element, (*location, index))
        self._above.discard(id(node))
        if size > _MOST_VALUES and not self.stops:
            self._say(location, node, "grows without measure", "use fewer aliases")
            self.stops = True
        self._sizes[id(node)] = size
        return size

    def _mapping(self, node: yaml.MappingNode, location: Location) -> int:
        size = 0
        lines: dict[str, int] = {}
        for key, value in cast("list[tuple[yaml.Node, yaml.Node]]", node.value):
            if not isinstance(key, yaml.ScalarNode):
                self._say(location, key, "has a key that is no text", "write the key as one word")
                self.stops = True
                continue
            name = str(key.value)
            here = (*location, name)
            if key.tag == _MERGE_TAG:
                size += self.values(value, location)
                continue
            if key.tag != _STRING_TAG:
                kind = key.tag.removeprefix(_TAG)
                said = {"bool": "true or false", "null": "nothing", "timestamp": "a date"}
                self._say(
                    here,
                    key,
                    f"YAML reads this key as {said.get(kind, 'a number')}",
                    f'write "{name}": in quotes',
                )
                self.stops = True
            line = _line(key)
            if name in lines:
                self._say(
                    here,
                    None,
                    f"stands twice, on line {lines[name]} and on line {line}",
                    "keep one of the two",
                )
            lines[name] = line
            size += self.values(value, here)
        if list(lines) == ["secure"] and not _is_secret_setting(location):
            self._say(
                location,
                node,
                "is encrypted, and a stack file of ours holds no secret",
                "write the plain value; secrets are named here and kept in the secret store",
            )
        return size

    def _say(self, location: Location, node: yaml.Node | None, message: str, fix: str) -> None:
        where = f" (line {_line(node)})" if node is not None else ""
        self.problems.append(Problem(path=_path_in(location), message=message + where, fix=fix))


def _is_secret_setting(location: Location) -> bool:
    """Return whether `pulumi config set --secret` writes there: `hcloud:token` and the like."""
    return (
        len(location) == len(("config", "key"))
        and location[0] == "config"
        and not str(location[1]).startswith(_NAMESPACE)
    )


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _path_in(location: Location) -> str:
    """Return a location of the file as one of the stack object, where it is in there."""
    if tuple(location[:2]) == ("config", CONFIG_KEY):
        return path_of(location[2:])
    return path_of(location) if location else "(file)"


def _file_error(source: str, message: str, fix: str) -> ConfigError:
    return ConfigError([Problem(path="(file)", message=message, fix=fix)], source)


def _yaml_error(error: yaml.YAMLError, text: str) -> tuple[str, str]:
    if isinstance(error, yaml.reader.ReaderError):
        line = text.count("\n", 0, int(error.position)) + 1
        return (
            f"has a control character on line {line}",
            "remove it: editors show it as a box or not at all",
        )
    mark = getattr(error, "problem_mark", None)
    where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    problem = str(getattr(error, "problem", None) or "it cannot be read")
    if "'\\t'" in problem:
        return f"is not valid YAML{where}: there is a tab", "indent with spaces"
    if "another document" in problem:
        return f"is not one YAML document{where}: there is a second", "remove the line `---`"
    if "undefined alias" in problem:
        return f"is not valid YAML{where}: {problem}", "put a value that begins with * in quotes"
    return f"is not valid YAML{where}: {problem}", "correct the YAML at that line or just above it"


def _absence(document: object, config: dict[str, object]) -> tuple[str, str]:
    """Return what is said of a file without a stack object: what it has instead, and the fix."""
    message = f"has no `{CONFIG_KEY}` under `config`"
    fix = f"write the stack object below `config: {CONFIG_KEY}:`, as Pulumi.local.yaml does"
    top = mapping(document)
    likely_key = difflib.get_close_matches(CONFIG_KEY, map(str, config), n=1)
    likely_top = difflib.get_close_matches("config", map(str, top), n=1)
    if document is None:
        message = "is empty"
    elif not isinstance(document, dict):
        message = "is no mapping of keys to values"
    elif CONFIG_KEY in top:
        message = f"has `{CONFIG_KEY}` at the top level"
        fix = f"write `config:` above it, and indent `{CONFIG_KEY}:` and all below it"
    elif "kind" in top:
        message = "has the stack object at the top level"
    elif any(str(key).startswith(f"{CONFIG_KEY}.") for key in config):
        message = f"has its settings as flat keys, such as `{next(iter(config))}`"
        fix = f"write them as nested keys below `{CONFIG_KEY}:`, as Pulumi.local.yaml does"
    elif CONFIG_KEY in config:
        message = f"has nothing below `{CONFIG_KEY}`"
    elif likely_key:
        fix = f"write `{CONFIG_KEY}`, not `{likely_key[0]}`"
    elif likely_top and likely_top[0] != "config":
        message, fix = "has no `config`", f"write `config`, not `{likely_top[0]}`"
    return message, fix
