"""Every pin is exact, held where it can be held, and readable by Renovate."""

import re
from pathlib import Path

import pytest

from components import versions
from components.versions import ChartPin, GitPin, ImagePin

SOURCE = Path(versions.__file__).read_text(encoding="utf-8")

PINS = {
    name: value
    for name, value in vars(versions).items()
    if isinstance(value, ChartPin | GitPin | ImagePin)
}


def test_there_are_pins_of_every_kind() -> None:
    assert {type(pin) for pin in PINS.values()} == {ChartPin, GitPin, ImagePin}


@pytest.mark.parametrize(
    "name", [name for name, pin in PINS.items() if not isinstance(pin, ImagePin)]
)
def test_a_version_is_exact(name: str) -> None:
    assert re.fullmatch(r"v?\d+\.\d+(\.\d+)?(-[a-z0-9.-]+)?", PINS[name].version)


@pytest.mark.parametrize("name", [name for name, pin in PINS.items() if isinstance(pin, ImagePin)])
def test_the_tag_of_an_image_names_a_version(name: str) -> None:
    # The digest decides; some publishers put the variant first (`cpu-1.7`).
    assert re.fullmatch(r"([a-z]+-)?v?\d+(\.\d+)*(-[a-z0-9.-]+)?", PINS[name].version)


@pytest.mark.parametrize("name", [name for name, pin in PINS.items() if isinstance(pin, GitPin)])
def test_a_repository_is_held_by_a_whole_commit(name: str) -> None:
    pin = PINS[name]
    assert isinstance(pin, GitPin)
    assert re.fullmatch(r"[0-9a-f]{40}", pin.commit)
    assert pin.repository.startswith("https://")


@pytest.mark.parametrize("name", [name for name, pin in PINS.items() if isinstance(pin, ImagePin)])
def test_an_image_is_held_by_its_digest_and_names_its_registry(name: str) -> None:
    pin = PINS[name]
    assert isinstance(pin, ImagePin)
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", pin.digest)
    assert "." in pin.repository.split("/")[0]
    assert pin.reference == f"{pin.repository}:{pin.version}@{pin.digest}"


@pytest.mark.parametrize("name", PINS)
def test_renovate_finds_the_source_of_a_pin_right_above_it(name: str) -> None:
    found = re.search(
        rf"^# renovate: datasource=(\S+) depName=(\S+)( registryUrl=(\S+))?\n{name}: Final",
        SOURCE,
        re.MULTILINE,
    )
    assert found is not None
    source, dependency, _, registry = found.groups()
    pin = PINS[name]
    match pin:
        case ChartPin() if "://" not in pin.repository:
            assert (source, dependency, registry) == (
                "docker",
                f"{pin.repository}/{pin.chart}",
                None,
            )
        case ChartPin():
            assert (source, dependency, registry) == ("helm", pin.chart, pin.repository)
        case GitPin():
            assert source == "github-tags"
            assert pin.repository == f"https://github.com/{dependency}.git"
        case ImagePin():
            assert source == "docker"
            assert pin.repository.endswith(dependency)


def test_hetzners_cloud_controller_speaks_to_the_api_of_today() -> None:
    major, minor, patch = (int(part) for part in versions.HCLOUD_CCM.version.split("."))
    assert (major, minor, patch) >= (1, 30, 1)


def test_the_definitions_and_the_gateway_speak_one_version() -> None:
    assert versions.INFERENCE_EXTENSION.version == versions.INFERENCE_POOL.version
    assert versions.AGENTGATEWAY_CRDS.version == versions.AGENTGATEWAY.version
