"""The platform tree: one Argo CD Application for each in-cluster system."""
