"""A file that is no proper stack file is refused with its place and a fix, never a traceback."""

from pathlib import Path

import pytest

from sandbox.stack_file import read_stack_file
from stacks.check import main
from stacks.config import ConfigError, load_stack_file, parse_stack
from tests.config.test_bad_configs import apply
from tests.samples import EXISTING_STACK, GKE_STACK

EXAMPLE = (Path(__file__).parents[2] / "Pulumi.gke.yaml").read_text(encoding="utf-8")
BOMB = "".join(f"    a{level}: &a{level} [{f'*a{level - 1}, ' * 9}]\n" for level in range(1, 9))

WRONG = [
    (b"", "(file): is empty", "config: llmp:stack:"),
    (b"# nothing\n", "(file): is empty", "config: llmp:stack:"),
    (b"hello\n", "(file): is no mapping", "config: llmp:stack:"),
    (b"\xff\xfe\x00", "(file): is not UTF-8 text", "save it as UTF-8"),
    (b"config:\n\tllmp:stack: 1\n", "line 2, column 1: there is a tab", "indent with spaces"),
    (b"config:\n  a: b\x01\n", "a control character on line 2", "remove it"),
    (b"config:\n  a: 1\n---\nconfig: {}\n", "there is a second", "remove the line `---`"),
    (b"config:\n  a: *b\n", "found undefined alias", "begins with * in quotes"),
    (b"config:\n  llmp:stack:\n    kind: 2026-13-45\n", "cannot be read", "in quotes"),
    (b"llmp:stack:\n  kind: gke\n", "has `llmp:stack` at the top level", "indent"),
    (b"kind: gke\ngke: {}\n", "the stack object at the top level", "config: llmp:stack:"),
    (b"cofnig:\n  llmp:stack: {}\n", "has no `config`", "write `config`, not `cofnig`"),
    (b"config:\n  llmp:stcak: {}\n", "has no `llmp:stack`", "not `llmp:stcak`"),
    (b"config:\n  llmp:stack.kind: gke\n", "flat keys, such as `llmp:stack.kind`", "nested"),
    (b"config:\n  llmp:stack:\n", "has nothing below `llmp:stack`", "config: llmp:stack:"),
    (b"config:\n  llmp:stack: &a\n    kind: gke\n    gke: *a\n", "gke: holds itself", "alias"),
    (b"config:\n  llmp:stack:\n    secure: AAAA\n", "is encrypted", "kept in the secret store"),
    (b"config:\n  llmp:stack:\n    kind: gke\n    1: x\n", "1: YAML reads this key as a", "quotes"),
    (b"config:\n  llmp:stack:\n    [a]: x\n", "has a key that is no text", "one word"),
    (b"config:\n  llmp:stack:\n    gke: !!set {a}\n", "gke: is tagged !!set", "remove the tag"),
    (b"config: " + b"[" * 3000 + b"]" * 3000, "is nested too deeply", "fewer levels"),
    (
        f"config:\n  llmp:stack:\n    a0: &a0 [x]\n{BOMB}".encode(),
        "grows without measure",
        "fewer aliases",
    ),
    ((EXAMPLE + "  llmp:tier: prod\n").encode(), "llmp:tier: is no config key", "remove it"),
    (
        EXAMPLE.replace("my-project", "{ secure: AAAA }").encode(),
        "gke.project: is encrypted",
        "plain value",
    ),
]


def test_secrets_that_pulumi_encrypts_stand_beside_the_stack_object(tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.test.yaml"
    secrets = (
        "  hcloud:token:\n    secure: AAAA\n  hetzner:gpu_servers_ssh_key:\n    secure: BBBB\n"
    )
    file.write_text(EXAMPLE + secrets, encoding="utf-8")
    assert main([str(file)]) == 0
    # The sandbox could not decrypt them, and has its own.
    assert set(read_stack_file(file).config) == {"llmp:stack"}


@pytest.mark.parametrize(("content", "says", "fix"), WRONG, ids=[one[1] for one in WRONG])
def test_a_file_that_is_no_stack_file_is_refused_with_a_fix(
    content: bytes, says: str, fix: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "Pulumi.test.yaml"
    file.write_bytes(content)
    assert main([str(file)]) == 2
    said = capsys.readouterr().err
    assert says in said
    assert fix in said
    assert "Traceback" not in said


def test_a_key_that_stands_twice_is_told_with_both_lines_and_with_all_else(tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.test.yaml"
    twice = EXAMPLE.replace(
        "      cluster_name: llmp", "      cluster_name: a\n      cluster_name: b"
    )
    file.write_text(twice.replace("profile: llm-gateway", "profile: most"), encoding="utf-8")
    lines = file.read_text(encoding="utf-8").splitlines()
    first = lines.index("      cluster_name: a") + 1
    with pytest.raises(ConfigError) as caught:
        load_stack_file(file)
    problems = {problem.path: problem.message for problem in caught.value.problems}
    assert problems["gke.cluster_name"] == f"stands twice, on line {first} and on line {first + 1}"
    assert "platform.profile" in problems


@pytest.mark.parametrize("how", ["a byte order mark", "CRLF", "anchors"])
def test_what_editors_and_yaml_allow_is_read(how: str, tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.test.yaml"
    content = EXAMPLE.encode()
    match how:
        case "a byte order mark":
            content = b"\xef\xbb\xbf" + content
        case "CRLF":
            content = content.replace(b"\n", b"\r\n")
        case _:
            content = content.replace(b"models: [qwen-small]", b"models: &all [qwen-small]", 1)
            content = content.replace(b"models: [qwen-small]", b"models: *all", 1)
    file.write_bytes(content)
    assert load_stack_file(file).kind == "gke"


def test_a_price_without_end_is_refused_in_plain_words() -> None:
    stack = apply(GKE_STACK, {"models.0.price.input_usd_per_million_tokens": float("inf")})
    with pytest.raises(ConfigError, match="write a number that is not endless"):
        parse_stack(stack, "Pulumi.test.yaml")


def test_a_value_as_long_as_a_page_is_cut_wherever_it_is_quoted() -> None:
    stack = apply(GKE_STACK, {"gke.region": "x" * 5000, "y" * 5000: 1})
    with pytest.raises(ConfigError) as caught:
        parse_stack(stack, "Pulumi.test.yaml")
    assert max(len(line) for line in str(caught.value).splitlines()) < 400


def test_an_empty_text_is_told_in_our_words() -> None:
    with pytest.raises(ConfigError, match="write 1 characters or more"):
        parse_stack(apply(EXISTING_STACK, {"existing.context": ""}), "Pulumi.test.yaml")
