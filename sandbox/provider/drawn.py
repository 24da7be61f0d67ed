"""Providers whose resources live in the state alone: made once, read from nowhere."""

import abc
from typing import cast

from sandbox.provider.check import Failure
from sandbox.provider.cloud import CloudPackage
from sandbox.provider.package import ENGINE_SETTINGS, ProviderError, Subject
from sandbox.provider.rules import TypeRules
from sandbox.provider.values import Properties, mark_secret, plain


class DrawnPackage(CloudPackage):
    """A provider that makes values when a resource is created and keeps them afterwards."""

    @abc.abstractmethod
    def draw(self, token: str, inputs: Properties) -> tuple[str, Properties]:
        """Return the id and the computed values of a new resource.

        Raises:
            ProviderError: the inputs can't be worked with.
        """

    def check_config(self, config: Properties) -> list[Failure]:
        """Refuse any setting: the provider has none that the sandbox knows."""
        return [
            Failure(key, f"the {self.name} provider has no such setting in the sandbox")
            for key in config
            if key not in ENGINE_SETTINGS
        ]

    def create(
        self, subject: Subject, inputs: Properties, *, preview: bool
    ) -> tuple[str, Properties]:
        """Make the values, or at preview leave them open."""
        rules = self.row(subject.token)
        state = self._state(rules, inputs)
        if preview:
            return "", self._foresee(subject.token, rules, state, {})
        with self.store.operation("create", subject.token, subject.name) as entry:
            self.store.count_create(subject.name)
            identifier, drawn = self.draw(subject.token, cast("Properties", plain(state)))
            entry.identifier = identifier
        return identifier, self._outputs(rules, state, drawn)

    def read(
        self, subject: Subject, identifier: str, inputs: Properties, outputs: Properties
    ) -> tuple[str, Properties, Properties]:
        """Return what the state has: nobody else knows the values."""
        if not outputs:
            raise ProviderError(f"{subject.token} can't be imported in the sandbox")
        return identifier, inputs, outputs

    def update(
        self,
        subject: Subject,
        identifier: str,
        outputs: Properties,
        inputs: Properties,
        *,
        preview: bool,
    ) -> Properties:
        """Keep the values; nothing that changes them can be changed in place."""
        rules = self.row(subject.token)
        kept = {key: outputs[key] for key in rules.outputs if key in outputs}
        if not preview:
            with self.store.operation("update", subject.token, subject.name, identifier):
                pass
        return self._outputs(rules, self._state(rules, inputs), kept)

    def delete(self, subject: Subject, identifier: str, outputs: Properties) -> None:
        """Note that the resource is forgotten."""
        del outputs
        with self.store.operation("delete", subject.token, subject.name, identifier):
            pass

    def _outputs(self, rules: TypeRules, state: Properties, drawn: Properties) -> Properties:
        result = {**state, **drawn}
        for path in (*rules.secret_inputs, *rules.secret_outputs):
            mark_secret(result, path)
        return result
