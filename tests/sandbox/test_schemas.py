"""The rules tables agree with the providers' schemas, where those are at hand."""

import pytest

from sandbox.provider import rules
from tests.provider_schema import input_properties, schema_of

PACKAGES = ("gcp", "hcloud")


@pytest.mark.parametrize("name", PACKAGES)
def test_what_the_schema_replaces_the_table_replaces(name: str) -> None:
    for token, row in rules.load(name).types.items():
        expected = {
            path
            for path, value in input_properties(name, token).items()
            if value.get("willReplaceOnChanges") or value.get("replaceOnChanges")
        }
        assert row.immutable == expected, token


@pytest.mark.parametrize("name", PACKAGES)
def test_every_path_of_a_row_exists_in_theschema_of(name: str) -> None:
    schema = schema_of(name)
    for token, row in rules.load(name).types.items():
        resource = schema["resources"][token]
        known = set(input_properties(name, token))
        known |= {f"{path}[]" for path in known}
        named = {
            *row.checks,
            *row.defaults,
            *row.references,
            *row.required,
            *row.unordered,
            *row.provider_defaults,
            *(path for group in (*row.conflicts, *row.exactly_one) for path in group),
        }
        assert named <= known, (token, named - known)
        outputs = {*row.outputs, *row.derived, *row.absent, *row.secret_outputs}
        assert outputs <= set(resource["properties"]), token


@pytest.mark.parametrize("name", PACKAGES)
def test_every_value_that_a_resource_always_has_is_made_up_or_left_empty_on_purpose(
    name: str,
) -> None:
    schema = schema_of(name)
    # Made in code: labels follow from inputs and provider, the rest from tables of the cloud.
    in_code = {
        "effectiveLabels",
        "pulumiLabels",
        "effectiveAnnotations",
        "ipv4Address",
        "ipv6Address",
        "ipv6Network",
        "primaryDiskSize",
    }
    for token, row in rules.load(name).types.items():
        resource = schema["resources"][token]
        covered = {
            *row.outputs,
            *row.derived,
            *row.absent,
            *row.defaults,
            *row.provider_defaults,
            *row.required,
            *resource.get("requiredInputs", []),
            *(path for group in row.exactly_one for path in group),
            row.autoname,
        }
        assert set(resource["required"]) - covered - in_code == set(), token


@pytest.mark.parametrize("name", PACKAGES)
def test_what_the_schema_calls_secret_the_table_calls_secret(name: str) -> None:
    schema = schema_of(name)
    for token, row in rules.load(name).types.items():
        properties = schema["resources"][token]["properties"]
        secret = {key for key, value in properties.items() if value.get("secret")}
        assert secret <= set(row.secret_outputs), token


def test_random_outputs_that_the_schema_calls_secret_are_secret_in_the_table() -> None:
    schema = schema_of("random")
    for token, row in rules.load("random").types.items():
        properties = schema["resources"][token]["properties"]
        secret = {key for key, value in properties.items() if value.get("secret")}
        assert secret == set(row.secret_outputs), token
        inputs = set(schema["resources"][token]["inputProperties"])
        assert row.immutable <= inputs, token
        assert set(properties) - inputs == set(row.outputs), token
