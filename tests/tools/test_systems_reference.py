"""The page that lists every system."""

from components.platform.apps import catalogue
from components.platform.config import Features
from stacks.config import load_stack_file
from stacks.contracts import known_contract
from stacks.platform import platform_inputs
from tools.systems_reference import EXAMPLE, systems_reference


def rows() -> dict[str, list[str]]:
    """Return the cells of each row by the name of the system."""
    lines = [line for line in systems_reference().splitlines() if line.startswith("| `")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {row[0].strip("`").partition("`")[0]: row for row in cells}


def test_the_example_has_every_feature() -> None:
    on = load_stack_file(EXAMPLE).platform.features
    assert all(getattr(on, name) for name in Features.model_fields)


def test_every_system_of_the_example_has_one_row() -> None:
    stack = load_stack_file(EXAMPLE)
    contract = known_contract(stack)
    assert contract is not None
    entries = catalogue(platform_inputs(stack, contract, "ours"))
    models = sorted((one.name for one in stack.models), key=len, reverse=True)
    listed = rows()
    for entry in entries:
        model = next((one for one in models if entry.name.startswith(f"{one}-")), "")
        name = entry.name.replace(model, "<model>", 1) if model else entry.name
        derived = name in {
            f"{entry.namespace}-network",
            f"{entry.namespace}-secrets",
        } or entry.description.startswith("Secret ")
        assert (name in listed) != derived, name


def test_a_row_says_where_a_system_listens_and_what_it_reads() -> None:
    keda = rows()["keda"]
    assert keda[2:4] == ["feature `autoscaling`", "`keda`"]
    assert "6443" in keda[5]
    # Its own ports, and not those of what it calls.
    assert "9090" not in keda[5]
    assert "`litellm-secrets`" in rows()["litellm"][6]


def test_a_secret_that_people_supply_is_marked() -> None:
    assert "`dex-connector-github` *" in rows()["dex"][6]
    assert "*" not in rows()["litellm-database"][6]
