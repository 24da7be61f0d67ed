"""What Google refuses about workload identity pools, their providers and their members."""

import json
import re
from collections.abc import Iterable
from typing import Any, Final

from sandbox.provider.check import Failure
from sandbox.provider.gcp_control_plane import project_number
from sandbox.provider.package import ProviderError
from sandbox.provider.store import Record
from sandbox.provider.values import Properties, as_dict, as_list, lookup, plain, reveal

POOL: Final = "gcp:iam/workloadIdentityPool:WorkloadIdentityPool"
PROVIDER: Final = "gcp:iam/workloadIdentityPoolProvider:WorkloadIdentityPoolProvider"

_MAX_AUDIENCES: Final = 10
_KEY_FIELDS: Final = {
    "RSA": {"kty", "alg", "use", "kid", "n", "e"},
    "EC": {"kty", "alg", "use", "kid", "x", "y", "crv"},
}
_MEMBER: Final = re.compile(
    r"principal(?:Set)?://iam\.googleapis\.com/(?P<pool>projects/(?P<number>\d+)"
    r"/locations/global/workloadIdentityPools/(?P<id>[a-z0-9-]+))/.+"
)


def provider_failures(inputs: Properties) -> list[Failure]:
    """Report a provider that no token could pass (IAM API, workloadIdentityPools.providers)."""
    failures: list[Failure] = []
    oidc = as_dict(reveal(inputs.get("oidc")))
    if oidc is None:
        return failures
    mapping = as_dict(reveal(inputs.get("attributeMapping"))) or {}
    if "google.subject" not in mapping:
        failures.append(Failure("attributeMapping", "a provider of OIDC has to map google.subject"))
    audiences = as_list(reveal(oidc.get("allowedAudiences"))) or []
    if len(audiences) > _MAX_AUDIENCES:
        failures.append(Failure("oidc.allowedAudiences", f"takes {_MAX_AUDIENCES} at most"))
    keys = plain(oidc.get("jwksJson"))
    if isinstance(keys, str) and keys and (reason := _key_set_failure(keys)) is not None:
        failures.append(Failure("oidc.jwksJson", reason))
    return failures


def name(token: str, state: Properties) -> str:
    """Return what Google calls a pool or a provider: by the number of its project."""
    number = project_number(str(plain(state.get("project"))))
    pool = f"projects/{number}/locations/global/workloadIdentityPools/" + str(
        plain(state.get("workloadIdentityPoolId"))
    )
    if token == POOL:
        return pool
    return f"{pool}/providers/{plain(state.get('workloadIdentityPoolProviderId'))}"


def check_member(member: str, pools: Iterable[Record]) -> None:
    """Refuse a member of a pool that does not exist.

    Raises:
        ProviderError: there is no such pool, or the number is another project's.
    """
    match = _MEMBER.fullmatch(member)
    if match is None:
        return
    names = {str(lookup(record.outputs, "name")) for record in pools}
    if match["pool"] in names:
        return
    there = next((one for one in names if one.endswith(f"/{match['id']}")), None)
    raise ProviderError(
        f"the identity pool {match['pool']} does not exist"
        + ("" if there is None else f"; the one of that id is {there}")
    )


def _key_set_failure(text: str) -> str | None:
    try:
        found: Any = json.loads(text)
        keys: list[dict[str, str]] = found["keys"]
        fields = [(one["kty"], set(one)) for one in keys]
    except (ValueError, KeyError, TypeError):
        return "is no set of keys as JSON (RFC 7517)"
    for kind, has in fields:
        if kind not in _KEY_FIELDS:
            return f"has a key of kind {kind}; only RSA and EC are supported"
        if has != _KEY_FIELDS[kind]:
            return f"has a key with {sorted(has)}, and exactly {sorted(_KEY_FIELDS[kind])} is taken"
    return None
