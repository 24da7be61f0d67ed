"""The lab: a real control plane on loopback, and what the platform does on it.

etcd, the API server, the controller manager, the scheduler and Argo CD are the real programs, built
from Go modules. Nodes and pods are simulated by kwok. Nothing here is part of a deployment.

What to read first, by subject; each command of `python -m lab` is a module of its name:

- programs: `processes` starts them, `control_plane`, `argo_cd`, `nodes`, `kueue`, `kyverno`, `keda`
  and `prometheus` each know one; `session` puts a control plane with Argo CD together.
- sources: `git_server` and `chart_repositories` serve charts behind `proxy`, `stand_ins` makes
  those of others, `sources` puts them together.
- a stack: `rendering` reads and renders it, `deployment` hands it over as the engine does,
  `watch` follows what comes of it, `simulated_controllers` answers for programs that are not there;
  `deployed` is all of it.
- what is found: `claims`, `report`, `timeline`, `objects`.
- tenants' queues: `queues` is a cluster with Jobs, `quotas` the ledger of who holds what,
  `quota_rules` each rule alone, `scheduling` the rush.
"""
