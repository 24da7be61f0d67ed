"""The Pulumi program: read the stack's config, pick its composition root, run it."""

from stacks.program import main

main()
