"""The substrate tree: cloud, cluster, and what a cluster needs before Argo CD can take over."""
