"""The key portal as it runs in its pod: real HTTP, against a strict double of LiteLLM."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.charts.litellm_double import MASTER_KEY, LiteLlm, digest, running
from tests.charts.rendering import CHARTS
from tests.charts.values import KEY_PORTAL

ORIGIN = "https://portal.llm.example.com"
ANN = "ann@example.com"
FORM_SECRET = "only-for-this-test"  # noqa: S105 - no secret of anything


@dataclass
class Answer:
    """One answer of the portal."""

    status: int
    headers: dict[str, str]
    text: str


@dataclass
class Portal:
    """A portal that runs, and the person who looks at it."""

    port: int
    process: subprocess.Popen[str]
    output: Path
    user: str = ANN

    def get(self, path: str = "/", users: tuple[str, ...] | None = None) -> Answer:
        return self._send("GET", path, users=users)

    def post(
        self,
        path: str,
        fields: Mapping[str, object],
        *,
        origin: str | None = ORIGIN,
        users: tuple[str, ...] | None = None,
        kind: str = "application/x-www-form-urlencoded",
    ) -> Answer:
        headers = {"Content-Type": kind} | ({} if origin is None else {"Origin": origin})
        body = urlencode(fields, doseq=True).encode()
        return self._send("POST", path, body, headers, users)

    def token(self) -> str:
        """Return what a form of this user's page carries."""
        found = re.search(r'name="form" value="([0-9a-f]+)"', self.get().text)
        assert found is not None
        return found.group(1)

    def make(self, **changes: object) -> Answer:
        fields = {"name": "laptop", "model": ["qwen"], "budget": "5", "days": "30"}
        return self.post("/make", {"form": self.token(), **fields, **changes})

    def revoke(self, key: str) -> Answer:
        return self.post("/revoke", {"form": self.token(), "key": key})

    def log(self) -> str:
        return self.output.read_text()

    def _send(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        users: tuple[str, ...] | None = None,
    ) -> Answer:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.putrequest(method, path)
        for name, value in (headers or {}).items():
            connection.putheader(name, value)
        for user in (self.user,) if users is None else users:
            connection.putheader("X-Auth-Request-Email", user)
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        answer = connection.getresponse()
        text = answer.read().decode()
        found = Answer(
            answer.status, {name.lower(): value for name, value in answer.headers.items()}, text
        )
        connection.close()
        return found


@pytest.fixture
def litellm() -> Iterator[LiteLlm]:
    with running() as state:
        for team, budget in (("team-a", 50.0), ("team-b", 0.5)):
            state.teams[team] = {"team_id": team, "max_budget": budget, "models": ["qwen", "coder"]}
        yield state


@contextmanager
def serving(url: str, folder: Path) -> Generator[Portal]:
    values = KEY_PORTAL.to_values()
    settings = {name: values[name] for name in ("publicUrl", "modelsUrl", "limits", "tenants")}
    file = folder / "settings.json"
    file.write_text(json.dumps({**settings, "litellmUrl": url}))
    output = folder / "log"
    with output.open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-B", str(CHARTS / "key-portal/files/portal.py"), str(file)],
            env={
                "PATH": os.environ["PATH"],
                "LITELLM_MASTER_KEY": MASTER_KEY,
                "FORM_SECRET": FORM_SECRET,
                "PORT": "0",
            },
            stdout=log,
            stderr=subprocess.STDOUT,
            text=True,
        )
    try:
        yield Portal(_port(output, process), process, output)
    finally:
        process.terminate()
        process.wait(timeout=20)


def _port(output: Path, process: subprocess.Popen[str]) -> int:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.poll() is None:
        found = re.search(r'"port": ([0-9]+)', output.read_text())
        if found:
            return int(found.group(1))
        time.sleep(0.02)
    raise AssertionError(output.read_text())


@pytest.fixture
def portal(litellm: LiteLlm, tmp_path: Path) -> Iterator[Portal]:
    with serving(litellm.url, tmp_path) as running_portal:
        yield running_portal


def key_of(page: str) -> str:
    found = re.search(r'<code class="key">(sk-[^<]+)</code>', page)
    assert found is not None, page
    return found.group(1)


def test_a_key_is_of_its_maker_and_team_and_can_do_nothing_but_call_models(
    portal: Portal, litellm: LiteLlm
) -> None:
    answer = portal.make(model=["qwen", "coder"], budget="2.5", days="7")
    assert answer.status == 200
    made = litellm.keys[digest(key_of(answer.text))]
    assert made == {
        "key_alias": "ann@example.com/laptop",
        "user_id": ANN,
        "team_id": "team-a",
        "models": ["coder", "qwen"],
        "max_budget": 2.5,
        "budget_duration": "30d",
        "allowed_routes": ["llm_api_routes"],
        "metadata": {"made_by": "key-portal"},
    }


def test_a_key_is_shown_once_and_kept_nowhere(portal: Portal, litellm: LiteLlm) -> None:
    answer = portal.make()
    value = key_of(answer.text)
    assert answer.headers["cache-control"] == "no-store"
    later = portal.get().text
    assert "laptop" in later
    assert value not in later
    assert value not in portal.log() + "".join(litellm.paths)
    assert MASTER_KEY not in portal.log() + answer.text + later


def test_the_log_says_who_made_and_revoked_which_key(portal: Portal, litellm: LiteLlm) -> None:
    portal.make()
    (token,) = litellm.keys
    portal.revoke(token)
    events = [json.loads(line) for line in portal.log().splitlines()]
    made = next(one for one in events if one["event"] == "key made")
    assert (made["user"], made["team"], made["key"]) == (ANN, "team-a", "laptop")
    revoked = next(one for one in events if one["event"] == "key revoked")
    assert (revoked["user"], revoked["key"]) == (ANN, "laptop")


def test_nobody_sees_or_ends_a_key_of_somebody_whose_address_holds_theirs(
    portal: Portal, litellm: LiteLlm
) -> None:
    portal.user = "joann@research.example.com"
    portal.make(name="of-joann")
    (of_joann,) = litellm.keys
    portal.user = "ann@research.example.com"
    assert (
        litellm.handle(
            "GET",
            f"/key/list?user_id={portal.user}&size=100&page=1&return_full_object=true",
            f"Bearer {MASTER_KEY}",
            None,
        )[1]["total_count"]
        == 1
    ), "the double is as careless as LiteLLM"
    assert "of-joann" not in portal.get().text
    answer = portal.revoke(of_joann)
    assert answer.status == 422
    assert of_joann in litellm.keys


def test_the_keys_of_one_person_are_found_among_hundreds_of_others(
    portal: Portal, litellm: LiteLlm
) -> None:
    for number in range(250):
        token = f"{number:064x}"
        litellm.keys[token] = {
            "key_alias": f"x{number}",
            "user_id": f"x{number}{ANN}",
            "models": [],
        }
        litellm.details[token] = {"spend": 0.0, "created_at": "2026-01-01T00:00:00+00:00"}
    portal.make()
    assert portal.get().text.count("Revoke for good") == 1


def test_a_revoked_key_is_gone_at_litellm(portal: Portal, litellm: LiteLlm) -> None:
    portal.make()
    (token,) = litellm.keys
    answer = portal.revoke(token)
    assert (answer.status, answer.headers["location"]) == (303, "/")
    assert litellm.keys == {}


def test_a_name_that_is_taken_is_refused_and_the_key_of_that_name_stays(
    portal: Portal, litellm: LiteLlm
) -> None:
    portal.make()
    before = dict(litellm.keys)
    answer = portal.make()
    assert answer.status == 422
    assert "You have a key laptop already" in answer.text
    assert litellm.keys == before


def test_nobody_has_more_keys_than_are_allowed_and_ended_ones_do_not_count(
    portal: Portal, litellm: LiteLlm
) -> None:
    for name in ("one", "two", "three"):
        assert portal.make(name=name).status == 200
    assert (
        portal.post(
            "/make",
            {
                "form": _stale_token(portal),
                "name": "four",
                "model": ["qwen"],
                "budget": "1",
                "days": "1",
            },
        ).status
        == 422
    )
    assert len(litellm.keys) == 3
    assert 'action="/make"' not in portal.get().text
    ended = next(iter(litellm.keys))
    litellm.details[ended]["expires"] = "2026-01-01T00:00:00+00:00"
    assert "ended 1 January 2026" in portal.get().text
    assert portal.make(name="four").status == 200


def _stale_token(portal: Portal) -> str:
    """Return the token of any form of the page: revoking has one even where making has none."""
    return portal.token()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"name": "Übung"}, "small letters"),
        ({"name": "-x"}, "small letters"),
        ({"name": "a" * 31}, "small letters"),
        ({"name": "a/b"}, "small letters"),
        ({"model": []}, "at least one model"),
        ({"model": ["qwen", "someone-elses"]}, "not your team"),
        ({"budget": "0"}, "budget"),
        ({"budget": "10.01"}, "budget"),
        ({"budget": "nan"}, "budget"),
        ({"budget": "inf"}, "budget"),
        ({"budget": ["1", "2"]}, "budget"),
        ({"days": "61"}, "from 1 to 60 days"),
        ({"days": "0"}, "from 1 to 60 days"),
        ({"days": "1.5"}, "from 1 to 60 days"),
        ({"days": "-1"}, "from 1 to 60 days"),
    ],
)
def test_a_wish_beyond_the_team_or_the_limits_makes_nothing(
    portal: Portal, litellm: LiteLlm, changes: dict[str, object], says: str
) -> None:
    answer = portal.make(**changes)
    assert answer.status == 422
    assert says in answer.text
    assert litellm.keys == {}


def test_an_address_counts_before_its_domain(portal: Portal, litellm: LiteLlm) -> None:
    portal.user = "bob@research.example.com"
    assert "Team team-b" in portal.get().text
    portal.user = "eve@research.example.com"
    assert "Team team-a" in portal.get().text
    portal.user = "bob@research.example.com"
    portal.make(budget="0.5")
    (made,) = litellm.keys.values()
    assert made["team_id"] == "team-b"


def test_whoever_is_in_no_team_is_told_so_and_makes_nothing(
    portal: Portal, litellm: LiteLlm
) -> None:
    token = portal.token()
    portal.user = "mallory@elsewhere.example"
    answer = portal.get()
    assert answer.status == 403
    assert "is in no team" in answer.text
    fields = {"form": token, "name": "x", "model": ["qwen"], "budget": "1", "days": "1"}
    assert portal.post("/make", fields).status == 403
    assert litellm.keys == {}


@pytest.mark.parametrize(
    "users",
    [
        (),
        ("",),
        (ANN, "eve@example.com"),
        (f"{ANN},eve@example.com",),
        ("<script>@x.com",),
        ("ann",),
    ],
)
def test_without_one_clear_identity_nothing_is_shown_and_litellm_is_not_asked(
    portal: Portal, litellm: LiteLlm, users: tuple[str, ...]
) -> None:
    answer = portal.get(users=users)
    assert answer.status == 403
    assert litellm.paths == []


def test_an_address_is_the_same_in_capitals(portal: Portal) -> None:
    portal.make()
    assert "laptop" in portal.get(users=("Ann@Example.COM",)).text


@pytest.mark.parametrize("origin", [None, "null", "https://n8n.llm.example.com", ORIGIN + ".evil"])
def test_a_form_of_another_page_changes_nothing(
    portal: Portal, litellm: LiteLlm, origin: str | None
) -> None:
    fields = {"form": portal.token(), "name": "x", "model": ["qwen"], "budget": "1", "days": "1"}
    assert portal.post("/make", fields, origin=origin).status == 403
    assert litellm.keys == {}


def test_a_form_of_somebody_else_or_of_no_page_changes_nothing(
    portal: Portal, litellm: LiteLlm
) -> None:
    token = portal.token()
    fields = {"name": "x", "model": ["qwen"], "budget": "1", "days": "1"}
    assert portal.post("/make", {**fields, "form": "0" * 64}).status == 403
    assert portal.post("/make", fields).status == 403
    portal.user = "eve@research.example.com"
    assert portal.post("/make", {**fields, "form": token}).status == 403
    assert litellm.keys == {}


def test_a_body_that_is_too_long_or_no_form_is_refused(portal: Portal, litellm: LiteLlm) -> None:
    token = portal.token()
    assert portal.post("/make", {"form": token, "name": "x" * 20_000}).status == 403
    assert portal.post("/make", {"form": token}, kind="application/json").status == 403
    assert portal.get().status == 200
    assert litellm.keys == {}


def test_every_answer_forbids_scripts_frames_and_caches(portal: Portal) -> None:
    for answer in (portal.get(), portal.get("/nothing"), portal.get("/style.css"), portal.make()):
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'")
        assert "script-src" not in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        # Without a referrer, a browser would send our own forms with the origin `null`.
        assert answer.headers["referrer-policy"] == "same-origin"
        assert "python" not in answer.headers["server"].lower()


@dataclass
class Checked(HTMLParser):
    """What a page holds that its policy or a reader without eyes would miss."""

    wrong: list[str] = field(default_factory=list[str])
    labelled: set[str] = field(default_factory=set[str])
    inputs: list[dict[str, str | None]] = field(default_factory=list[dict[str, str | None]])
    headings: list[str] = field(default_factory=list[str])
    inside_label: bool = False

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in {"script", "style", "iframe", "img"} or "style" in given:
            self.wrong.append(tag)
        self.wrong += [f"{tag} {name}" for name in given if name.startswith("on")]
        if tag == "label":
            self.inside_label = True
            self.labelled.add(given.get("for") or "")
        if tag == "input" and given.get("type") != "hidden" and not self.inside_label:
            self.inputs.append(given)
        if re.fullmatch(r"h[1-6]", tag):
            self.headings.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag == "label":
            self.inside_label = False


def test_the_pages_need_no_script_and_name_every_input(portal: Portal) -> None:
    portal.make(name="first")
    for page in (portal.get().text, portal.make(name="second").text):
        checked = Checked()
        checked.feed(page)
        assert checked.wrong == []
        assert [one for one in checked.inputs if one.get("id") not in checked.labelled] == []
        assert checked.headings[0] == "h1"
        assert checked.headings.count("h1") == 1
        assert '<html lang="en">' in page


def test_what_litellm_holds_is_escaped(portal: Portal, litellm: LiteLlm) -> None:
    portal.make()
    (token,) = litellm.keys
    litellm.keys[token]["key_alias"] = f"{ANN}/<script>alert(1)<script>"
    litellm.keys[token]["models"] = ["<b>"]
    page = portal.get().text
    assert "<script>" not in page
    assert "<b>" not in page
    assert "&lt;script&gt;" in page


def test_the_spend_of_key_and_team_is_shown(portal: Portal, litellm: LiteLlm) -> None:
    portal.make()
    (token,) = litellm.keys
    litellm.details[token]["spend"] = 0.0042
    litellm.keys[token]["budget_reset_at"] = "2026-12-24T00:00:00+00:00"
    page = portal.get().text
    assert "$0.004200 of $5.00, again from 0 on 24 December 2026" in page
    assert "$1.50 of $50.00" in page


def test_a_litellm_that_is_gone_is_said_without_its_words(tmp_path: Path) -> None:
    with serving("http://127.0.0.1:9", tmp_path) as portal:
        answer = portal.get()
        assert answer.status == 502
        assert "127.0.0.1" not in answer.text
        assert portal.get("/healthz", users=()).status == 200


def test_a_litellm_that_answers_nonsense_shows_no_trace(portal: Portal, litellm: LiteLlm) -> None:
    litellm.teams["team-a"]["max_budget"] = {"no": "number"}
    answer = portal.get()
    assert answer.status == 500
    assert "Traceback" not in answer.text + portal.log()


def test_two_forms_at_once_do_not_make_one_key_too_many(portal: Portal, litellm: LiteLlm) -> None:
    token = portal.token()
    fields = {"form": token, "model": ["qwen"], "budget": "1", "days": "1"}
    connections = [HTTPConnection("127.0.0.1", portal.port, timeout=30) for _ in range(8)]
    for number, connection in enumerate(connections):
        connection.request(
            "POST",
            "/make",
            urlencode({**fields, "name": f"key-{number}"}, doseq=True),
            {
                "Content-Type": "application/x-www-form-urlencoded",
                "Origin": ORIGIN,
                "X-Auth-Request-Email": ANN,
            },
        )
    statuses = [connection.getresponse().status for connection in connections]
    for connection in connections:
        connection.close()
    assert statuses.count(200) == 3
    assert len(litellm.keys) == 3


def test_it_stops_when_it_is_told_to(portal: Portal) -> None:
    portal.get()
    portal.process.terminate()
    assert portal.process.wait(timeout=10) == 0


def test_an_address_of_litellm_that_is_no_http_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="no HTTP address"), serving("file:///etc", tmp_path):
        pass
