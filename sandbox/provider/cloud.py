"""The life of a cloud resource: what gcp and hcloud have in common, driven by the rules tables."""

from dataclasses import replace
from functools import cached_property
from typing import Any, cast

from sandbox.provider.check import Failure, check_rules, check_types
from sandbox.provider.diff import compare
from sandbox.provider.package import Difference, Naming, Package, ProviderError, Subject
from sandbox.provider.rules import Reference, TypeRules, load
from sandbox.provider.store import Record, Store, restore
from sandbox.provider.templates import Scope, fill
from sandbox.provider.values import (
    UNKNOWN,
    Properties,
    Value,
    copy_secrets,
    has_unknown,
    lookup,
    mark_secret,
    path_text,
    plain,
    reveal,
    select,
    without_nulls,
)

_DEFAULTS = "__defaults"
_ADDRESS_BLOCKS = {"gcp": "198.18", "hcloud": "198.19"}


class CloudPackage(Package):
    """A cloud whose resources are described by a rules table."""

    def __init__(self, name: str) -> None:
        """Load the rules table."""
        super().__init__(name)
        self.rules = load(name)
        self.config: Properties = {}

    @cached_property
    def store(self) -> Store:
        """The folder of what exists; opened when it is first needed."""
        return Store.from_environment()

    # --- what a cloud adds to the tables --------------------------------------------------------

    def check_more(self, token: str, inputs: Properties) -> list[Failure]:
        """Report what is wrong with inputs and takes more than one property to see."""
        del token, inputs
        return []

    def prepare(self, token: str, state: Properties) -> None:
        """Add values that the id is made of and that follow from the inputs, in place."""

    def refuse(self, token: str, identifier: str, state: Properties) -> None:
        """Raise ProviderError when the cloud would refuse to make or change a resource."""

    def complete(self, token: str, identifier: str, state: Properties) -> None:
        """Add computed values that templates can't express, in place."""

    def refuse_delete(self, record: Record) -> None:
        """Raise ProviderError when the cloud would refuse to remove a resource."""

    def deleted(self, record: Record) -> None:
        """Take note that a resource is gone; the lock is held."""

    # --- configuration --------------------------------------------------------------------------

    def configure(self, config: Properties) -> None:
        """Take the configuration of the provider."""
        self.config = config

    # --- Check and Diff -------------------------------------------------------------------------

    def row(self, token: str) -> TypeRules:
        """Return the rules of a type that Check has let through.

        Raises:
            ProviderError: there are none.
        """
        rules = self.rules.types.get(token)
        if rules is None:
            raise ProviderError(f"{token} has no row in {self._rules_name()}")
        return rules

    def _rules_name(self) -> str:
        return f"sandbox/rules/{self.rules.path.name}"

    def check(
        self, subject: Subject, olds: Properties, news: Properties, naming: Naming
    ) -> tuple[Properties, list[Failure]]:
        """Complete a resource's inputs and report everything that is wrong with them."""
        declared = self.sdk.resource(subject.token)
        if declared is None:
            return news, [
                Failure("", f"pulumi_{self.name} {self.version} has no type {subject.token}")
            ]
        rules = self.rules.types.get(subject.token)
        if rules is None:
            reason = f"the sandbox does not know {subject.token}: add a row to {self._rules_name()}"
            return news, [Failure("", reason)]
        inputs = cast("Properties", without_nulls(news))
        inputs.pop(_DEFAULTS, None)
        failures = check_types(self.sdk, declared.inputs, inputs)
        defaulted = self._fill_in(rules, subject, olds, inputs, naming)
        failures.extend(_unfit_name(rules, inputs, defaulted))
        failures.extend(self._missing_provider_defaults(rules, inputs))
        if not failures:
            failures.extend(check_rules(rules, inputs))
        if not failures:
            failures.extend(self.check_more(subject.token, inputs))
        for path in rules.secret_inputs:
            mark_secret(inputs, path)
        inputs[_DEFAULTS] = defaulted
        return inputs, failures

    def _fill_in(
        self,
        rules: TypeRules,
        subject: Subject,
        olds: Properties,
        inputs: Properties,
        naming: Naming,
    ) -> list[str]:
        defaulted: list[str] = []
        if rules.autoname and rules.autoname not in inputs and not naming.disabled:
            remembered = olds.get(rules.autoname)
            if rules.autoname in (olds.get(_DEFAULTS) or []) and remembered is not None:
                inputs[rules.autoname] = remembered
            else:
                inputs[rules.autoname] = naming.proposal or f"{subject.name}-{naming.digits(7)}"
            defaulted.append(rules.autoname)
        for key, value in rules.defaults.items():
            if key not in inputs:
                inputs[key] = value
                defaulted.append(key)
        return defaulted

    def _missing_provider_defaults(self, rules: TypeRules, inputs: Properties) -> list[Failure]:
        return [
            Failure(
                path,
                f"is required: give it, or set it for the provider ({self.name}:{setting})",
            )
            for path, setting in rules.provider_defaults.items()
            if lookup(inputs, path) is None and reveal(self.config.get(setting)) in (None, "")
        ]

    def diff(
        self, subject: Subject, identifier: str, old: Properties, new: Properties
    ) -> Difference:
        """Compare old and new inputs; immutable properties ask for a replacement."""
        del identifier
        rules = self.row(subject.token)
        changes = compare(
            old,
            new,
            immutable=rules.immutable,
            computed=[*rules.outputs, *rules.provider_defaults],
            unordered=rules.unordered,
        )
        named = bool(rules.autoname) and rules.autoname not in (new.get(_DEFAULTS) or [])
        same_name = plain(old.get(rules.autoname)) == plain(new.get(rules.autoname))
        replaces = any(change.replaces for change in changes)
        return Difference(changes=changes, delete_before_replace=replaces and named and same_name)

    # --- Create, Read, Update, Delete -----------------------------------------------------------

    def create(
        self, subject: Subject, inputs: Properties, *, preview: bool
    ) -> tuple[str, Properties]:
        """Make a resource, or at preview say what it would look like."""
        rules = self.row(subject.token)
        state = self._state(rules, inputs)
        if preview:
            return "", self._foresee(subject.token, rules, state, {})
        store = self.store
        with store.operation("create", subject.token, subject.name) as entry:
            store.count_create(subject.name)
            self._check_references(rules, state)
            self.prepare(subject.token, state)
            identifier = self._identify(subject, rules, state)
            entry.identifier = identifier
            self.refuse(subject.token, identifier, state)
            outputs = self._compute(subject.token, rules, state, identifier, {})
            store.put(self._record(subject, identifier, inputs, outputs, rules))
        return identifier, outputs

    def read(
        self, subject: Subject, identifier: str, inputs: Properties, outputs: Properties
    ) -> tuple[str, Properties, Properties]:
        """Return what the store has; secrets come from the state, which alone knows them."""
        record = self.store.find(subject.token, identifier)
        if record is None:
            return "", {}, {}
        declared = self.sdk.resource(subject.token)
        found = restore(record.outputs, outputs)
        asked = restore(record.inputs, inputs)
        if not inputs and declared is not None:
            asked = {key: value for key, value in found.items() if key in declared.inputs}
            asked[_DEFAULTS] = []
        return identifier, asked, found

    def update(
        self,
        subject: Subject,
        identifier: str,
        outputs: Properties,
        inputs: Properties,
        *,
        preview: bool,
    ) -> Properties:
        """Change a resource in place."""
        rules = self.row(subject.token)
        state = self._state(rules, inputs)
        if preview:
            return self._foresee(subject.token, rules, state, outputs)
        store = self.store
        with store.operation("update", subject.token, subject.name, identifier):
            if store.find(subject.token, identifier) is None:
                raise ProviderError(f"{identifier} does not exist any more")
            self._check_references(rules, state)
            self.prepare(subject.token, state)
            self._check_unique(subject.token, identifier, rules, state)
            self.refuse(subject.token, identifier, state)
            changed = self._compute(subject.token, rules, state, identifier, outputs)
            store.put(self._record(subject, identifier, inputs, changed, rules))
        return changed

    def delete(self, subject: Subject, identifier: str, outputs: Properties) -> None:
        """Remove a resource that nothing protects and nothing else needs."""
        del outputs
        rules = self.row(subject.token)
        store = self.store
        with store.operation("delete", subject.token, subject.name, identifier):
            record = store.find(subject.token, identifier)
            if record is None:
                return
            self._check_protection(rules, record)
            self._check_not_held(record)
            self.refuse_delete(record)
            if lookup(record.outputs, "deletionPolicy") != "ABANDON":
                store.remove(subject.token, identifier)
                self.deleted(record)

    def _check_protection(self, rules: TypeRules, record: Record) -> None:
        for path in rules.protection:
            if lookup(record.outputs, path) is True:
                raise ProviderError(
                    f"{record.id} can't be deleted while {path} is true: set it to false and "
                    "update first"
                )
        if lookup(record.outputs, "deletionPolicy") == "PREVENT":
            raise ProviderError(f"{record.id} has deletionPolicy PREVENT")

    # --- parts of the above ---------------------------------------------------------------------

    def _state(self, rules: TypeRules, inputs: Properties) -> Properties:
        state = {key: value for key, value in inputs.items() if key != _DEFAULTS}
        for path, setting in rules.provider_defaults.items():
            if reveal(state.get(path)) is None:
                state[path] = self.config.get(setting)
        return state

    def _foresee(
        self, token: str, rules: TypeRules, state: Properties, old: Properties
    ) -> Properties:
        declared = self.sdk.resource(token)
        names = declared.outputs if declared is not None else ()
        inputs = declared.inputs if declared is not None else {}
        result = dict(state)
        for name in names:
            computed = name in rules.outputs or name in rules.derived or name not in inputs
            if name in result or name in rules.absent or not computed:
                continue
            known = name in old and name not in rules.derived
            result[name] = old[name] if known else UNKNOWN
        return result

    def _identify(self, subject: Subject, rules: TypeRules, state: Properties) -> str:
        if rules.id == "#":
            identifier = str(self.store.next_number(f"{self.name}-id", 1_000_001))
        else:
            identifier = str(fill(rules.id, Scope(state, subject.name, self._allocate)))
        if self.store.find(subject.token, identifier) is not None:
            raise ProviderError(f"{subject.token} {identifier} exists already")
        self._check_unique(subject.token, identifier, rules, state)
        return identifier

    def _check_unique(
        self, token: str, identifier: str, rules: TypeRules, state: Properties
    ) -> None:
        for path in rules.unique:
            value = plain(lookup(state, path))
            for other in self.store.all(token) if value is not None else ():
                if other.id != identifier and lookup(other.outputs, path) == value:
                    raise ProviderError(f"another {token} has the {path} {value!r} already")

    def _compute(
        self,
        token: str,
        rules: TypeRules,
        state: Properties,
        identifier: str,
        old: Properties,
    ) -> Properties:
        result = dict(state)
        scope = Scope(result, identifier, self._allocate)
        for key, template in rules.outputs.items():
            if reveal(result.get(key)) is None:
                result[key] = old[key] if old.get(key) is not None else fill(template, scope)
        for key, template in rules.derived.items():
            result[key] = fill(template, scope)
        self.complete(token, identifier, result)
        for path in rules.secret_outputs:
            mark_secret(result, path)
        return cast("Properties", copy_secrets(result, state))

    def _allocate(self, family: str) -> str:
        number = self.store.next_number(f"address-{family}")
        if family == "hcloud6":
            return f"2001:db8:{number:x}::"
        return f"{_ADDRESS_BLOCKS[family]}.{number // 250}.{number % 250 + 1}"

    def _record(
        self,
        subject: Subject,
        identifier: str,
        inputs: Properties,
        outputs: Properties,
        rules: TypeRules,
    ) -> Record:
        scope = Scope(outputs, identifier, self._allocate)
        names: list[Any] = [fill(alias, scope) for alias in rules.aliases]
        names.extend(plain(outputs.get(key)) for key in ("name", "selfLink"))
        aliases = tuple(dict.fromkeys(str(name) for name in names if name))
        return Record(
            token=subject.token,
            id=identifier,
            name=subject.name,
            inputs=inputs,
            outputs=outputs,
            aliases=aliases,
        )

    # --- references -----------------------------------------------------------------------------

    def resolve(self, reference: Reference, value: Value) -> Record | None:
        """Find the resource that a property's value names; None when there is none."""
        text = str(plain(value))
        for token in reference.types:
            found = self.store.find(token, text)
            if found is not None:
                return found
            for record in self.store.all(token):
                if text in record.aliases or text.endswith(f"/{record.id}"):
                    return record
        return None

    def _check_references(self, rules: TypeRules, state: Properties) -> None:
        for pattern, reference in rules.references.items():
            for path, value in select(state, pattern):
                if has_unknown(value) or reveal(value) == "":
                    continue
                if self.resolve(reference, value) is None:
                    kinds = " or ".join(kind.rpartition(":")[2] for kind in reference.types)
                    raise ProviderError(
                        f"{path_text(path)} names the {kinds} {plain(value)!r}, "
                        "which does not exist"
                    )

    def _check_not_held(self, record: Record) -> None:
        for token, rules in self.rules.types.items():
            for pattern, reference in rules.references.items():
                if not reference.holds or record.token not in reference.types:
                    continue
                for other in self.store.all(token):
                    if (other.token, other.id) == (record.token, record.id):
                        continue
                    for _, value in select(other.outputs, pattern):
                        found = self.resolve(replace(reference, types=(record.token,)), value)
                        if found is not None and found.id == record.id:
                            kind = token.rpartition(":")[2]
                            raise ProviderError(
                                f"{record.id} is still in use by the {kind} {other.name} "
                                f"({other.id})"
                            )


def _unfit_name(rules: TypeRules, inputs: Properties, defaulted: list[str]) -> list[Failure]:
    """Refuse a made-up name that is too long: nobody shortens it, as a cut name may clash."""
    name = str(inputs.get(rules.autoname))
    if rules.autoname not in defaulted or not 0 < rules.autoname_length < len(name):
        return []
    reason = (
        f"none is given, and the made-up {name!r} is longer than {rules.autoname_length} "
        "characters: give one, or a shorter logical name"
    )
    return [Failure(rules.autoname, reason)]
