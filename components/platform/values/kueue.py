"""The kustomization under charts/kueue: the upstream chart, its webhooks kept to managed namespaces.

The upstream chart has no value for a namespace selector, and its Job and Pod webhooks fail closed for
the whole cluster: while Kueue is not ready they refuse, among others, CloudNativePG's bootstrap Job.
"""

from typing import Final

MANAGED_LABEL: Final = "llmp.dev/kueue-managed"
"""A namespace with this label set to "true" has its Jobs and Pods seen by Kueue."""
