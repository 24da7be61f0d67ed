"""Strict stand-ins for the gcp, hcloud, kubernetes and random providers.

They speak Pulumi's provider protocol to the real engine. What a resource may look like comes from
the installed SDK of the same version (``sdk_types``); what the SDK does not say comes from the
tables in ``sandbox/rules``. What exists is kept in the folder ``LLMP_SANDBOX_HOME`` (``store``).
"""
