# ruff: noqa: INP001 - a module that is mounted alone.
"""Who somebody is, which team they are in, and what their keys may have. No input or output."""

import hashlib
import hmac
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

EMAIL = re.compile(r"[a-z0-9._%+-]+@(?:[a-z0-9-]+\.)+[a-z]{2,63}")
NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,28}[a-z0-9])?")
TOKEN = re.compile(r"[0-9a-f]{64}")
FORM_SECONDS = 6 * 3600
"""A form that was open for less than this can be sent; at most for twice as long."""


class RefusedError(Exception):
    """What somebody asked for cannot be done; the text is for them to read."""


@dataclass(frozen=True)
class Tenant:
    """A team: who is in it, and what its keys may have at most."""

    name: str
    models: tuple[str, ...]
    members: tuple[str, ...]
    max_budget: float


@dataclass(frozen=True)
class Limits:
    """What one key, and one person, may have."""

    budget_duration: str
    max_days: int
    keys_per_user: int


@dataclass(frozen=True)
class Wish:
    """A key as somebody asks for it, checked."""

    name: str
    models: tuple[str, ...]
    max_budget: float
    days: int


def user_of(values: Sequence[str]) -> str:
    """Return who sent a request, from all values of the header that the edge sets.

    Raises:
        RefusedError: there is none, more than one, or something else than an address.
    """
    # Two values would be one of the edge and one of somebody who hopes to be taken for another.
    if len(values) != 1:
        msg = "This page knows you by your sign-in, and there is none."
        raise RefusedError(msg)
    user = values[0].strip().lower()
    if not EMAIL.fullmatch(user):
        msg = "Your sign-in brings no e-mail address, by which keys are kept."
        raise RefusedError(msg)
    return user


def tenant_of(user: str, tenants: Sequence[Tenant]) -> Tenant | None:
    """Return the team of somebody: by their address, else by its domain; None without one."""
    domain = "@" + user.partition("@")[2]
    for wanted in (user, domain):
        for tenant in tenants:
            if wanted in tenant.members:
                return tenant
    return None


def wish_of(form: Mapping[str, Sequence[str]], tenant: Tenant, limits: Limits) -> Wish:
    """Return the key that a form asks for.

    Raises:
        RefusedError: something of it is missing, wrong, or more than the team may have.
    """
    name = _one(form, "name").strip().lower()
    if not NAME.fullmatch(name):
        msg = "A name has up to 30 small letters, digits and hyphens, and no hyphen at its ends."
        raise RefusedError(msg)
    models = tuple(sorted(set(form.get("model", ()))))
    if not models:
        # LiteLLM reads a key without models as one for all of them.
        msg = "Choose at least one model."
        raise RefusedError(msg)
    if not set(models) <= set(tenant.models):
        msg = "One of these models is not your team's."
        raise RefusedError(msg)
    budget = _number(_one(form, "budget"))
    if not (math.isfinite(budget) and 0 < budget <= tenant.max_budget):
        msg = f"The budget is a number above 0 and up to {tenant.max_budget:g} USD."
        raise RefusedError(msg)
    days = _number(_one(form, "days"))
    if not (days.is_integer() and 1 <= days <= limits.max_days):
        msg = f"A key lasts from 1 to {limits.max_days} days."
        raise RefusedError(msg)
    return Wish(name=name, models=models, max_budget=budget, days=int(days))


def request_of(wish: Wish, user: str, tenant: Tenant, limits: Limits) -> dict[str, Any]:
    """Return a wish as LiteLLM takes it: within the team, and for nothing but calling models."""
    return {
        "key_alias": f"{user}/{wish.name}",
        "user_id": user,
        "team_id": tenant.name,
        "models": list(wish.models),
        "max_budget": wish.max_budget,
        "budget_duration": limits.budget_duration,
        "duration": f"{wish.days}d",
        "key_type": "llm_api",
        "metadata": {"made_by": "key-portal"},
    }


def form_token(secret: str, user: str, now: float) -> str:
    """Return what a form of this user carries, which nobody else can know."""
    return _signature(secret, user, int(now // FORM_SECONDS))


def is_form_token(token: str, secret: str, user: str, now: float) -> bool:
    """Return whether a form was made for this user, and not long ago."""
    period = int(now // FORM_SECONDS)
    return any(
        hmac.compare_digest(token.encode(), _signature(secret, user, one).encode())
        for one in (period, period - 1)
    )


def _signature(secret: str, user: str, period: int) -> str:
    return hmac.new(secret.encode(), f"{period}\n{user}".encode(), hashlib.sha256).hexdigest()


def _one(form: Mapping[str, Sequence[str]], field: str) -> str:
    values = form.get(field, ())
    return values[0] if len(values) == 1 else ""


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
