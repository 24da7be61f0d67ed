"""What the installed Pulumi SDKs say about resource types: keys, value types, what is required.

The generated source is read, not imported: importing ``pulumi_gcp.compute`` alone takes over two
seconds, and the engine starts a provider several times in one run. Only the classes that a checked
resource needs are looked at. A test holds this reading equal to the SDK's own type information
(``pulumi._types``) for every type in the rules tables.
"""

import ast
import functools
import importlib.metadata
import importlib.util
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias


class SdkShapeError(Exception):
    """The SDK's source does not look as expected, or does not have the class."""


@dataclass(frozen=True, slots=True)
class Scalar:
    """A value of one simple kind: string, integer, number, boolean, asset or any."""

    kind: str


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list whose elements all have one type."""

    item: "TypeReference"


@dataclass(frozen=True, slots=True)
class MapOf:
    """A map from free keys to values of one type."""

    value: "TypeReference"


@dataclass(frozen=True, slots=True)
class ObjectOf:
    """An object with fixed keys: a class of an SDK folder, read when it is needed."""

    folder: str
    class_name: str


@dataclass(frozen=True, slots=True)
class Choice:
    """A string out of a closed list (an enum class of the SDK)."""

    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OneOf:
    """A value of any of several types."""

    options: tuple["TypeReference", ...]


TypeReference: TypeAlias = Scalar | ListOf | MapOf | ObjectOf | Choice | OneOf


@dataclass(frozen=True, slots=True)
class Property:
    """One key of an object type, under its name on the wire."""

    type: TypeReference
    required: bool


@dataclass(frozen=True, slots=True)
class ResourceType:
    """A resource type: its input keys, and the names of everything it has once it exists."""

    token: str
    inputs: dict[str, Property]
    outputs: tuple[str, ...]


_CLASS = re.compile(r"^class (\w+)\b", re.MULTILINE)
_UNINDENTED = re.compile(r"^\S", re.MULTILINE)
_GETTER = re.compile(
    r"@pulumi\.getter(?:\(name=\"(?P<name>\w+)\"\))?\s+"
    r"(?:@_utilities\.deprecated\(\"{3}.*?\"{3}\)\s+)?"
    r"def (?P<python>\w+)\(self\) -> (?P<type>.+?):\n",
    re.DOTALL,
)
_SIGNATURE = re.compile(r"def __init__\((.*?)\):\n", re.DOTALL)
_ENUM_VALUE = re.compile(r"^    [A-Z][A-Z0-9_]* = (.+)$", re.MULTILINE)
_SCALARS = {
    "str": "string",
    "int": "integer",
    "float": "number",
    "bool": "boolean",
    "Any": "any",
    "Asset": "asset",
    "Archive": "asset",
}


def _snake(name: str) -> str:
    text = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name)
    return re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", text).lower()


@functools.cache
def _source(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""


@functools.cache
def _class_starts(path: Path) -> dict[str, int]:
    return {match.group(1): match.start() for match in _CLASS.finditer(_source(path))}


def _class_text(path: Path, name: str) -> str | None:
    start = _class_starts(path).get(name)
    if start is None:
        return None
    text = _source(path)
    end = _UNINDENTED.search(text, start + 1)
    return text[start : end.start() if end else len(text)]


def _required(text: str) -> set[str]:
    """Return the arguments of a class's constructor that have no default."""
    signature = _SIGNATURE.search(text)
    if signature is None:
        return set()
    function = ast.parse(f"def constructor({signature.group(1)}): ...").body[0]
    if not isinstance(function, ast.FunctionDef):
        raise SdkShapeError("a constructor of the SDK can't be read")
    arguments = function.args
    return {
        argument.arg
        for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
        if default is None
    }


class SdkTypes:
    """The resource types of one installed SDK.

    Args:
        package: the provider's name, for example ``gcp``; its SDK is ``pulumi_gcp``.

    Raises:
        SdkShapeError: the SDK is not installed.
    """

    def __init__(self, package: str) -> None:
        """Find the SDK's folder and version without importing it."""
        self.package = package
        spec = importlib.util.find_spec(f"pulumi_{package}")
        if spec is None or spec.origin is None:
            raise SdkShapeError(f"the Python package pulumi_{package} is not installed")
        self._root = Path(spec.origin).parent
        self.version = importlib.metadata.version(f"pulumi_{package}")
        self._objects: dict[ObjectOf, dict[str, Property]] = {}
        self._resources: dict[str, ResourceType | None] = {}

    def resource(self, token: str) -> ResourceType | None:
        """Return the type for a token such as ``gcp:compute/network:Network``; None if unknown.

        Raises:
            SdkShapeError: the SDK has the type but its source has an unforeseen shape.
        """
        if token not in self._resources:
            self._resources[token] = self._read_resource(token)
        return self._resources[token]

    def provider(self) -> dict[str, Property]:
        """Return the settings of the provider itself.

        Raises:
            SdkShapeError: the SDK's source has an unforeseen shape.
        """
        text = _class_text(self._root / "provider.py", "ProviderArgs")
        if text is None:
            raise SdkShapeError(f"{self._root}/provider.py has no class ProviderArgs")
        return self._properties(text, self._root)

    def has_group(self, group: str) -> bool:
        """Tell whether the Kubernetes SDK has an API group, for example ``apps``."""
        return (self._root / group.split(".", maxsplit=1)[0]).is_dir()

    def object(self, reference: ObjectOf) -> dict[str, Property]:
        """Return the keys of a nested object type.

        Raises:
            SdkShapeError: the class is missing or its source has an unforeseen shape.
        """
        found = self._objects.get(reference)
        if found is None:
            folder = self._root / reference.folder
            text = _class_text(folder / "_inputs.py", reference.class_name)
            if text is None:
                raise SdkShapeError(f"no class {reference.class_name} in {folder}/_inputs.py")
            found = self._properties(text, folder)
            self._objects[reference] = found
        return found

    def _read_resource(self, token: str) -> ResourceType | None:
        _, module, name = token.split(":")
        folder, path = self._module_file(module, name)
        if f'"{token}"' not in _source(path):
            return None
        for arguments in (f"{name}Args", f"{name}InitArgs"):
            text = _class_text(path, arguments)
            if text is not None:
                break
        else:
            raise SdkShapeError(f"{path} has no arguments class for {token}")
        body = _class_text(path, name)
        if body is None:
            raise SdkShapeError(f"{path} has no class {name}")
        outputs = tuple(match["name"] or match["python"] for match in _GETTER.finditer(body))
        return ResourceType(token, self._properties(text, folder), outputs)

    def _module_file(self, module: str, name: str) -> tuple[Path, Path]:
        if self.package == "kubernetes":
            group, _, version = module.partition("/")
            folder = self._root / group.split(".")[0] / version
            return folder, folder / f"{name}.py"
        head, _, leaf = module.partition("/")
        folder = self._root if head == "index" else self._root / head
        for spelling in (leaf, name):
            path = folder / f"{_snake(spelling)}.py"
            if path.is_file():
                return folder, path
        return folder, folder / f"{_snake(leaf)}.py"

    def _properties(self, text: str, folder: Path) -> dict[str, Property]:
        required = _required(text)
        result: dict[str, Property] = {}
        for match in _GETTER.finditer(text):
            name = match["name"] or match["python"]
            expression = ast.parse(match["type"], mode="eval").body
            result[name] = Property(self._type(expression, folder), match["python"] in required)
        return result

    def _type(self, node: ast.expr, folder: Path) -> TypeReference:
        found: TypeReference | None = None
        if isinstance(node, ast.Subscript):
            found = self._generic(ast.unparse(node.value).rpartition(".")[2], node.slice, folder)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found = self._named(node.value, folder)
        elif isinstance(node, ast.Name | ast.Attribute):
            kind = _SCALARS.get(ast.unparse(node).rpartition(".")[2])
            found = Scalar(kind) if kind is not None else None
        if found is None:
            raise SdkShapeError(f"cannot read the type {ast.unparse(node)} in {folder}")
        return found

    def _generic(self, head: str, inside: ast.expr, folder: Path) -> TypeReference | None:
        if head in ("Input", "Optional", "InputType", "Output"):
            return self._type(inside, folder)
        if head == "Sequence":
            return ListOf(self._type(inside, folder))
        if not isinstance(inside, ast.Tuple):
            return None
        if head == "Mapping":
            return MapOf(self._type(inside.elts[1], folder))
        return self._union(inside.elts, folder) if head == "Union" else None

    def _union(self, members: list[ast.expr], folder: Path) -> TypeReference:
        options = [self._type(member, folder) for member in members]
        closed = [option for option in options if isinstance(option, Choice)]
        if closed:
            # The SDK writes `Union[str, Enum]` so that new values can be passed; the cloud knows
            # no others.
            return closed[0]
        unique = tuple(dict.fromkeys(options))
        return unique[0] if len(unique) == 1 else OneOf(unique)

    def _named(self, name: str, folder: Path) -> TypeReference:
        *module, leaf = name.split(".")
        if module:
            folder = self._root.joinpath(module[0].removeprefix("_"), *module[1:])
        enum = _class_text(folder / "_enums.py", leaf)
        if enum is not None:
            return Choice(
                tuple(str(ast.literal_eval(value)) for value in _ENUM_VALUE.findall(enum))
            )
        return ObjectOf(str(folder.relative_to(self._root)), leaf)
