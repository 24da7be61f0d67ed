"""The Cloud Quotas API: what it answers about limits on GPUs.

LLMP_SANDBOX_QUOTAS sets them: `GPUS-ALL-REGIONS-per-project=0,NVIDIA-L4-GPUS-per-project-region=1`,
a product of a shared limit as `GPUS-PER-GPU-FAMILY-per-project-region/NVIDIA_H100=8`. What it does
not name is plenty. `denied` refuses the caller.
"""

import os
import re
from collections.abc import Callable, Mapping
from typing import Any, cast

from sandbox.provider.package import ProviderError
from sandbox.provider.values import Properties, plain

API = "cloudquotas.googleapis.com"
QUOTA_INFO = "gcp:cloudquota/getSQuotaInfo:getSQuotaInfo"
VARIABLE = "LLMP_SANDBOX_QUOTAS"
DENIED = "denied"
PLENTY = 1000
_COMPUTE = "compute.googleapis.com"
_ARGUMENTS = {"parent", "service", "quotaId"}
_PARENT = re.compile(r"projects/(?P<project>[a-z][a-z0-9-]{4,28}[a-z0-9])")


def quota_info(
    arguments: Properties,
    table: Mapping[str, list[str]],
    is_enabled: Callable[[str], bool],
) -> Properties:
    """Return the limits of one quota, in the form of the provider.

    Args:
        arguments: of the function.
        table: products that share a limit, by quota id; none for a limit of one product.
        is_enabled: whether a project has the API enabled.

    Raises:
        ProviderError: the arguments are wrong, or the API would refuse the caller.
    """
    given = {key: str(plain(value)) for key, value in arguments.items() if value is not None}
    if set(given) != _ARGUMENTS:
        wanted = ", ".join(sorted(_ARGUMENTS))
        raise ProviderError(f"getSQuotaInfo takes {wanted}; not {', '.join(sorted(given))}")
    parent = _PARENT.fullmatch(given["parent"])
    if parent is None:
        raise ProviderError(f"parent {given['parent']!r} is not of the form projects/<project id>")
    if given["service"] != _COMPUTE:
        raise ProviderError(f"the sandbox knows the quotas of {_COMPUTE} alone")
    identifier = given["quotaId"]
    if identifier not in table:
        raise ProviderError(f"{_COMPUTE} has no quota {identifier!r}")
    project = parent["project"]
    limits = _limits()
    if limits is None:
        raise ProviderError(
            f"googleapi: Error 403: Permission 'cloudquotas.quotas.get' denied on {project}"
        )
    if not is_enabled(project):
        raise ProviderError(
            f"googleapi: Error 403: Cloud Quotas API has not been used in project {project} before "
            "or it is disabled"
        )
    regional = identifier.endswith("-region")
    families = table[identifier]
    keys = [f"{identifier}/{family}" for family in families] or [identifier]
    name = f"{given['parent']}/locations/global/services/{_COMPUTE}/quotaInfos/{identifier}"
    return {
        "id": name,
        "name": name,
        **given,
        "containerType": "PROJECT",
        "dimensions": [*(["region"] if regional else []), *(["gpu_family"] if families else [])],
        "dimensionsInfos": [
            {
                "dimensions": {"gpu_family": key.partition("/")[2]} if families else {},
                # Regions of one limit share an entry, and zeros are left out.
                "applicableLocations": [] if regional else ["global"],
                "details": [{"value": str(limits.get(key, PLENTY))}]
                if limits.get(key, PLENTY)
                else [],
            }
            for key in keys
        ],
        "isConcurrent": False,
        "isFixed": False,
        "isPrecise": True,
        "metric": "",
        "metricDisplayName": "GPUs",
        "metricUnit": "1",
        "quotaDisplayName": "GPUs",
        "quotaIncreaseEligibilities": [],
        "refreshInterval": "",
        "serviceRequestQuotaUri": "https://console.cloud.google.com/iam-admin/quotas",
    }


def _limits() -> dict[str, int] | None:
    """Return the limits that the environment sets; None where it refuses the caller."""
    text = os.environ.get(VARIABLE, "")
    if text == DENIED:
        return None
    parts = [part.partition("=") for part in text.split(",") if part]
    try:
        return {name: int(value) for name, _, value in parts}
    except ValueError:
        raise ProviderError(f"{VARIABLE}={text!r}: write `{DENIED}`, or id=number,…") from None


def table_of(tables: Mapping[str, Any]) -> Mapping[str, list[str]]:
    """Return the quotas of the rules table."""
    return cast("Mapping[str, list[str]]", tables["gpu_quotas"])
