# ruff: noqa: INP001 - a module that is mounted alone.
"""The portal's pages. They need no script; every value in them is escaped."""

from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape

from litellm import Key, Team
from rules import Limits, Tenant

PERIODS = {"1d": "a day", "7d": "7 days", "30d": "30 days"}


def home(  # noqa: PLR0913 - all that the page shows
    *,
    user: str,
    tenant: Tenant,
    team: Team,
    keys: Sequence[Key],
    limits: Limits,
    token: str,
    models_url: str,
    now: datetime,
    problem: str = "",
) -> str:
    """Return the page with the keys of somebody and the form for another one."""
    live = [key for key in keys if not is_over(key, now)]
    room = limits.keys_per_user - len(live)
    return _page(
        "Your keys",
        user,
        f"""
{_problem(problem)}
<section aria-labelledby="team">
<h2 id="team">Team {escape(tenant.name)}</h2>
{_spend("Spent by the whole team", team.spend, team.max_budget, team.budget_reset)}
</section>
<section aria-labelledby="keys">
<h2 id="keys">Keys</h2>
{_keys(keys, token, now)}
</section>
<section aria-labelledby="new">
<h2 id="new">Make a key</h2>
{_form(tenant, limits, token) if room > 0 else _no_room(limits)}
</section>
{_use(models_url)}
""",
    )


def made(*, user: str, name: str, key: str, models: Sequence[str], models_url: str) -> str:
    """Return the one page that ever shows a key."""
    return _page(
        "Your new key",
        user,
        f"""
<section aria-labelledby="made">
<h2 id="made">Key {escape(name)}</h2>
<p role="status"><strong>Copy it now.</strong> It is shown this once, and nobody can look it up
again.</p>
<p><code class="key">{escape(key)}</code></p>
<p>It may call: {_codes(models)}</p>
<p><a class="button" href="/">I have copied it</a></p>
</section>
{_use(models_url)}
""",
    )


def message(title: str, text: str, user: str = "") -> str:
    """Return a page that says one thing."""
    return _page(title, user, f"<section><p>{escape(text)}</p></section>")


def is_over(key: Key, now: datetime) -> bool:
    """Return whether a key has ended by itself."""
    ends = _time(key.expires)
    return ends is not None and ends <= now


def _page(title: str, user: str, body: str) -> str:
    who = f'<p class="who">Signed in as <strong>{escape(user)}</strong></p>' if user else ""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<link rel="stylesheet" href="/style.css">
</head>
<body>
<header><h1>{escape(title)}</h1>{who}</header>
<main>{body}</main>
</body>
</html>
"""


def _problem(text: str) -> str:
    return f'<p class="problem" role="alert">{escape(text)}</p>' if text else ""


def _keys(keys: Sequence[Key], token: str, now: datetime) -> str:
    if not keys:
        return "<p>You have none yet.</p>"
    rows = "".join(_row(key, token, now) for key in keys)
    return f"""<div class="table"><table>
<thead><tr><th scope="col">Name</th><th scope="col">Models</th><th scope="col">Spent</th>
<th scope="col">Ends</th><th scope="col"><span class="hidden">Action</span></th></tr></thead>
<tbody>{rows}</tbody>
</table></div>"""


def _row(key: Key, token: str, now: datetime) -> str:
    over = is_over(key, now)
    ends = f"ended {_day(key.expires)}" if over else _day(key.expires) or "never"
    return f"""<tr{' class="over"' if over else ""}>
<th scope="row">{escape(key.name)}<br><small>{escape(key.hint)}</small></th>
<td>{_codes(key.models)}</td>
<td>{_spend(f"Spent by key {key.name}", key.spend, key.max_budget, key.budget_reset)}</td>
<td>{escape(ends)}</td>
<td><details><summary>Revoke<span class="hidden"> key {escape(key.name)}</span></summary>
<form method="post" action="/revoke">
<input type="hidden" name="form" value="{escape(token)}">
<input type="hidden" name="key" value="{escape(key.token)}">
<p>Whatever uses it stops working at once.</p>
<button class="danger">Revoke for good</button>
</form></details></td>
</tr>"""


def _form(tenant: Tenant, limits: Limits, token: str) -> str:
    if not tenant.models:
        return "<p>Your team may call no model, so that there is nothing to make a key for.</p>"
    models = "".join(
        f'<label class="choice"><input type="checkbox" name="model" value="{escape(name)}" checked>'
        f" <code>{escape(name)}</code></label>"
        for name in tenant.models
    )
    period = PERIODS.get(limits.budget_duration, limits.budget_duration)
    return f"""<form method="post" action="/make">
<input type="hidden" name="form" value="{escape(token)}">
<p><label for="name">Name</label>
<input id="name" name="name" required maxlength="30" autocomplete="off" spellcheck="false"
 pattern="[a-z0-9]([a-z0-9\\-]*[a-z0-9])?" aria-describedby="name-help">
<small id="name-help">Small letters, digits and hyphens: what it is for, such as
<code>laptop</code>.</small></p>
<fieldset><legend>Models that it may call</legend>{models}</fieldset>
<p><label for="budget">Budget in USD for each {escape(period.removeprefix("a "))}</label>
<input id="budget" name="budget" type="number" required min="0.01" max="{tenant.max_budget:g}"
 step="any" value="{tenant.max_budget:g}"></p>
<p><label for="days">Ends after days</label>
<input id="days" name="days" type="number" required min="1" max="{limits.max_days}" step="1"
 value="{min(30, limits.max_days)}"></p>
<p><button>Make the key</button></p>
</form>"""


def _no_room(limits: Limits) -> str:
    return f"<p>You have {limits.keys_per_user} keys, and that is all. Revoke one first.</p>"


def _use(models_url: str) -> str:
    return f"""<section aria-labelledby="use">
<h2 id="use">Use a key</h2>
<p>The API is of OpenAI's kind, at <code>{escape(models_url)}</code>. Keep the key in the
environment:</p>
<pre><code>export OPENAI_BASE_URL={escape(models_url)}
read -rs OPENAI_API_KEY &amp;&amp; export OPENAI_API_KEY
curl "$OPENAI_BASE_URL/models" -H "Authorization: Bearer $OPENAI_API_KEY"</code></pre>
</section>"""


def _spend(label: str, spend: float, budget: float | None, reset: str) -> str:
    # Spend reaches the database some seconds after a call.
    if not budget:
        return f'<span class="spend">{_usd(spend)}</span>'
    again = f", again from 0 on {_day(reset)}" if _day(reset) else ""
    return (
        f'<span class="spend">{_usd(spend)} of {_usd(budget)}{escape(again)}</span>'
        f'<meter aria-label="{escape(label)}" min="0" max="{budget:g}" high="{budget * 0.8:g}"'
        f' optimum="0" value="{min(spend, budget):g}"></meter>'
    )


def _codes(names: Sequence[str]) -> str:
    return " ".join(f"<code>{escape(name)}</code>" for name in names)


def _usd(amount: float) -> str:
    # A call may cost a thousandth of a cent.
    return f"${amount:,.2f}" if amount == 0 or amount >= 0.01 else f"${amount:.6f}"  # noqa: PLR2004


def _day(text: str) -> str:
    at = _time(text)
    return "" if at is None else at.strftime("%-d %B %Y")


def _time(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
