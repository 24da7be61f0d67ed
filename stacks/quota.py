"""Asks Google for the GPU quota of a project, and warns where the pools outgrow it.

The one place where the program asks a cloud for something. No resource depends on the answer, so a
question that cannot be answered changes nothing: it is one line of information.
"""

import re
from collections.abc import Mapping
from typing import Final

import pulumi
import pulumi_gcp as gcp

from components.substrate.gke_quota import (
    SERVICE,
    Limit,
    Quota,
    limit_of,
    quota_page,
    quotas_of,
    shortages,
)
from components.substrate.gke_topology import GkeTopology

_SHOWN: Final = 200
"""Characters of Google's own words in a message: some errors run over pages."""

_PREFIX: Final = re.compile(
    r"^invoke of \S+ failed: (invocation of \S+ returned an error: (invoking \S+: )?)?"
)
"""What Pulumi puts before them."""


def check_quota(topology: GkeTopology, google: pulumi.ProviderResource) -> None:
    """Warn of every GPU quota that is smaller than what the pools grow to.

    Args:
        topology: the pools; nothing is asked when none of them draws on quota, or when the config
            says `quota_check: false`.
        google: the provider whose credentials may read quotas.
    """
    quotas = quotas_of(topology) if topology.quota_check else ()
    limits: dict[Quota, int | None] = {}
    answers: dict[str, tuple[Limit, ...]] = {}
    for quota in quotas:
        if quota.quota_id not in answers:
            try:
                answers[quota.quota_id] = _ask(topology.project, quota.quota_id, google)
            except Exception as error:  # noqa: BLE001 - the SDK raises nothing more exact
                pulumi.log.info(_unchecked(topology.project, error))
                return
        limits[quota] = limit_of(quota, answers[quota.quota_id])
    for shortage in shortages(topology, limits):
        pulumi.log.warn(shortage)


def _ask(project: str, quota_id: str, google: pulumi.ProviderResource) -> tuple[Limit, ...]:
    answer = gcp.cloudquota.get_s_quota_info(
        parent=f"projects/{project}",
        service=SERVICE,
        quota_id=quota_id,
        opts=pulumi.InvokeOptions(provider=google),
    )
    # Of a quota that Google does not know, the provider answers with nothing at all.
    infos = answer.dimensions_infos or ()
    return tuple(
        Limit(
            dimensions=_present(info.dimensions),
            locations=tuple(info.applicable_locations or ()),
            # What was never granted has no value: the API leaves out zeros.
            value=int(info.details[0].value or 0) if info.details else 0,
        )
        for info in infos
    )


def _present(dimensions: Mapping[str, str] | None) -> Mapping[str, str]:
    return {} if dimensions is None else dimensions


def _unchecked(project: str, error: Exception) -> str:
    said = _PREFIX.sub("", " ".join(str(error).split()))
    shown = said if len(said) <= _SHOWN else f"{said[: _SHOWN - 1]}…"
    return (
        f"GPU quota was not checked ({shown}). See {quota_page(project)}, filter GPUS; to have it "
        f"checked: gcloud services enable cloudquotas.googleapis.com --project {project}, and role "
        "roles/cloudquotas.viewer; with a user's credentials also USER_PROJECT_OVERRIDE=true and "
        f"GOOGLE_BILLING_PROJECT={project}."
    )
