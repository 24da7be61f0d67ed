"""How the bench judges growth."""

from collections.abc import Callable

import pytest

from sandbox.bench import Bench, Measurement, with_models
from sandbox.errors import SandboxError

COUNTS = (1, 10, 100)


def _bench(cost: Callable[[int], float], start: float = 1.0) -> Bench:
    preview = Measurement(name="preview", seconds={count: cost(count) for count in COUNTS})
    return Bench(engine_start_seconds=start, measurements=(preview,), resources={})


def test_linear_cost_passes() -> None:
    assert _bench(lambda models: 2 + 0.1 * models).failures() == ()


def test_quadratic_cost_fails() -> None:
    (failure,) = _bench(lambda models: 0.001 * models**2).failures()

    assert failure.startswith("preview: cost grows faster than linearly: models^2.00")


def test_quadratic_cost_behind_a_long_start_fails() -> None:
    (failure,) = _bench(lambda models: 8 + 0.002 * models**2, start=7.0).failures()

    assert failure.startswith("preview: cost grows faster than linearly")


def test_the_saving_of_the_engine_is_held_to_no_limit() -> None:
    seconds = {count: 0.01 * count**2 for count in COUNTS}
    saving = Measurement(name="up, saving every step", seconds=seconds, limited=False)

    assert Bench(engine_start_seconds=1, measurements=(saving,), resources={}).failures() == ()


def test_noise_is_not_taken_for_growth() -> None:
    for noisy in ({1: 5.2, 10: 5.5, 100: 11.3}, {1: 9.8, 10: 8.3, 100: 14.4}):
        assert _bench(noisy.__getitem__).failures() == ()


def test_a_slow_preview_of_the_smallest_stack_fails() -> None:
    (failure,) = _bench(lambda models: 12 + 0.01 * models).failures()

    assert "beyond the engine's own start" in failure


def test_the_slow_start_of_an_engine_is_not_held_against_the_program() -> None:
    assert _bench(lambda models: 12 + 0.01 * models, start=11.0).failures() == ()


def test_models_are_made_from_the_first_one_and_tenants_may_call_all() -> None:
    stack = {
        "models": [{"name": "a", "max_model_len": 512}, {"name": "b"}],
        "tenants": [{"name": "team", "models": ["b"]}],
    }

    changed = with_models({"llmp:stack": stack}, 3)["llmp:stack"]

    assert changed["models"] == [
        {"name": f"model-00{number}", "max_model_len": 512} for number in (1, 2, 3)
    ]
    assert changed["tenants"][0]["models"] == ["model-001", "model-002", "model-003"]
    assert stack["models"][1] == {"name": "b"}


def test_a_stack_without_models_cannot_be_measured() -> None:
    with pytest.raises(SandboxError, match="no model"):
        with_models({"llmp:stack": {"models": []}}, 3)
