"""State depends on type tokens: a changed one replaces every resource below it."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
COMPONENT_FILES = sorted((ROOT / "components").rglob("*.py"))

TOKENS = {
    "llmp:platform:ArgoApplication",
    "llmp:platform:ArgoProject",
    "llmp:platform:Platform",
    "llmp:substrate:ArgoCd",
    "llmp:substrate:ExistingCluster",
    "llmp:substrate:GkeBackupBucket",
    "llmp:substrate:GkeBudgetAlerts",
    "llmp:substrate:GkeCluster",
    "llmp:substrate:GkeDnsAccess",
    "llmp:substrate:GkeDnsZone",
    "llmp:substrate:GkeEdgeAddress",
    "llmp:substrate:GkeModelRegistry",
    "llmp:substrate:GkeNetwork",
    "llmp:substrate:GkeNodeIdentity",
    "llmp:substrate:GkeNodePool",
    "llmp:substrate:GkeSecrets",
    "llmp:substrate:GkeSecretsEncryption",
    "llmp:substrate:GkePullThrough",
    "llmp:substrate:GkeServices",
    "llmp:substrate:GkeSubstrate",
    "llmp:substrate:GkeWorkloadIdentity",
    "llmp:substrate:GoogleWorkloadFederation",
    "llmp:substrate:GpuOperator",
    "llmp:substrate:HetznerAddons",
    "llmp:substrate:HetznerApi",
    "llmp:substrate:HetznerApiLoadBalancer",
    "llmp:substrate:HetznerAutoscaler",
    "llmp:substrate:HetznerCertificates",
    "llmp:substrate:HetznerControlPlane",
    "llmp:substrate:HetznerEtcdMember",
    "llmp:substrate:HetznerFirewall",
    "llmp:substrate:HetznerGpuServers",
    "llmp:substrate:HetznerMetadataPolicy",
    "llmp:substrate:HetznerNetwork",
    "llmp:substrate:HetznerNodePool",
    "llmp:substrate:HetznerServer",
    "llmp:substrate:HetznerSnapshotStore",
    "llmp:substrate:HetznerSubstrate",
}
"""Never changed without an alias. A new component adds a line."""


def components() -> list[tuple[Path, ast.ClassDef]]:
    """Return every component class with its file."""
    return [
        (path, node)
        for path in COMPONENT_FILES
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef)
        and any(ast.unparse(base).endswith("ComponentResource") for base in node.bases)
    ]


def init_of(component: ast.ClassDef) -> ast.FunctionDef:
    return next(
        node
        for node in component.body
        if isinstance(node, ast.FunctionDef) and node.name == "__init__"
    )


def token_of(component: ast.ClassDef) -> str:
    for node in ast.walk(init_of(component)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "super().__init__":
            token = node.args[0]
            assert isinstance(token, ast.Constant), f"{component.name}'s token is no literal"
            return str(token.value)
    pytest.fail(f"{component.name} never calls super().__init__")


def test_the_type_tokens_are_the_frozen_ones() -> None:
    assert {token_of(component) for _, component in components()} == TOKENS


def test_a_token_ends_in_its_class_and_names_its_tree() -> None:
    for path, component in components():
        assert token_of(component) == f"llmp:{path.parent.name}:{component.name}"


def test_a_component_has_a_file_of_its_own() -> None:
    paths = [path for path, _ in components()]
    assert len(paths) == len(set(paths))


def test_the_arguments_of_a_component_are_a_frozen_dataclass_beside_it() -> None:
    for path, component in components():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        args = next(
            node
            for node in tree.body
            if isinstance(node, ast.ClassDef) and node.name == f"{component.name}Args"
        )
        decorators = [ast.unparse(decorator) for decorator in args.decorator_list]
        assert decorators == ["dataclass(frozen=True, kw_only=True, slots=True)"], path.name


def test_a_component_registers_its_outputs_last() -> None:
    for path, component in components():
        last = ast.unparse(init_of(component).body[-1])
        assert last.startswith("self.register_outputs("), f"{path.name}: {last[:60]}"


def test_no_component_merges_its_own_options_into_a_child() -> None:
    # It gives the child the component's parent and aliases instead of the component itself.
    for path in COMPONENT_FILES:
        assert ".merge(" not in path.read_text(encoding="utf-8"), path.name


def test_neither_tree_imports_the_other() -> None:
    for tree, other in (("substrate", "platform"), ("platform", "substrate")):
        for path in sorted((ROOT / "components" / tree).rglob("*.py")):
            text = path.read_text(encoding="utf-8")
            assert f"components.{other}" not in text, path.name
