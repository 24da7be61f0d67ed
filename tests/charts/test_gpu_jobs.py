"""Jobs that people start: the proof of a GPU, the load test, and GKE's compute class."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

from tests.charts.rendering import CHARTS, Json, only, render
from tests.charts.values import BENCHMARK, COMPUTE_CLASS, GPU_SMOKE

SCRIPT: Final = CHARTS / "benchmark" / "files" / "run_benchmark.py"
KEY: Final = "secret-key-1"
SETTINGS: Final[dict[str, Any]] = {
    "model": "qwen",
    "target": "http://gateway",
    "concurrency": [1, 8],
    "secondsPerStep": 5,
    "promptWords": 5,
    "outputTokens": 8,
    "prompts": 20,
    "seed": 42,
    "objectives": {"timeToFirstToken": 250, "interTokenLatency": 20},
    "mostIncomplete": 0.05,
}


def step(
    *, successful: int = 100, incomplete: int = 0, errored: int = 0, ttft: float = 100.0
) -> Json:
    """Return a step as GuideLLM 0.5.0 reports it, cut to what is read of it."""

    def distribution(value: float) -> Json:
        return {
            "successful": {"count": successful, "mean": value, "percentiles": {"p95": value}},
            "errored": None,
        }

    return {
        "metrics": {
            "request_totals": {
                "successful": successful,
                "incomplete": incomplete,
                "errored": errored,
                "total": successful + incomplete + errored,
            },
            "output_tokens_per_second": distribution(500.0),
            "time_to_first_token_ms": distribution(ttft),
            "inter_token_latency_ms": distribution(5.0),
        }
    }


def run(
    tmp_path: Path, *steps: Json, exit_status: int = 0, says: str = ""
) -> "subprocess.CompletedProcess[str]":
    """Run the script with a program in GuideLLM's place that leaves a report of these steps."""
    double = tmp_path / "guidellm"
    report = {"args": {"headers": {"Authorization": f"Bearer {KEY}"}}, "benchmarks": steps}
    double.write_text(
        f"#!{sys.executable}\n"
        "import json, os, pathlib, sys\n"
        "folder = [a.partition('=')[2] for a in sys.argv if a.startswith('--output-dir=')][0]\n"
        "seen = {'arguments': sys.argv, 'environment': dict(os.environ)}\n"
        f"pathlib.Path({str(tmp_path / 'seen.json')!r}).write_text(json.dumps(seen))\n"
        f"report = {report!r}\n"
        "pathlib.Path(folder, 'report.json').write_text(json.dumps(report))\n"
        f"print({says!r})\n"
        f"sys.exit({exit_status})\n"
    )
    double.chmod(double.stat().st_mode | stat.S_IXUSR)
    (tmp_path / "settings.json").write_text(json.dumps(SETTINGS))
    results = tmp_path / "results"
    results.mkdir()
    return subprocess.run(
        [sys.executable, "-B", str(SCRIPT), str(tmp_path / "settings.json"), str(results)],
        env={"PATH": os.environ["PATH"], "API_KEY": KEY, "GUIDELLM": str(double)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_model_that_reaches_its_objectives_passes(tmp_path: Path) -> None:
    done = run(tmp_path, step(), step(ttft=900.0))
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    result = json.loads(lines[lines.index("----- BEGIN RESULT -----") + 1])
    assert [one["concurrency"] for one in result["steps"]] == [1, 8]
    # Under load latencies rise: that is what the further steps are to show.
    assert result["steps"][1]["time_to_first_token_ms"] == 900.0


def test_a_missed_objective_fails_and_says_by_how_much(tmp_path: Path) -> None:
    done = run(tmp_path, step(ttft=300.0), step())
    assert done.returncode == 1
    assert "MISSED: time_to_first_token_ms p95 is 300.0, and the objective is 250" in done.stdout


def test_requests_that_were_cut_off_are_no_successes(tmp_path: Path) -> None:
    done = run(tmp_path, step(successful=60, incomplete=40), step())
    assert done.returncode == 1
    assert "MISSED: 40 of 100 requests were cut off" in done.stdout


def test_the_request_that_runs_when_a_step_ends_is_no_failure(tmp_path: Path) -> None:
    assert run(tmp_path, step(successful=5, incomplete=1), step()).returncode == 0


def test_a_request_that_failed_at_any_step_fails_the_test(tmp_path: Path) -> None:
    done = run(tmp_path, step(), step(errored=3))
    assert done.returncode == 1
    assert "MISSED: 3 requests failed at 8 at once" in done.stdout


def test_a_model_that_answers_nothing_fails(tmp_path: Path) -> None:
    done = run(tmp_path, step(successful=0), step(successful=0))
    assert done.returncode == 1
    assert "no request gave a time_to_first_token_ms" in done.stdout


def test_the_key_is_in_no_argument_no_output_and_no_file_that_stays(tmp_path: Path) -> None:
    done = run(tmp_path, step(), step())
    seen = json.loads((tmp_path / "seen.json").read_text())
    assert KEY not in " ".join(seen["arguments"])
    assert KEY in seen["environment"]["GUIDELLM_REQUEST_FORMATTER_KWARGS"]
    assert KEY not in done.stdout + done.stderr
    assert not (tmp_path / "results" / "report.json").exists()


def test_a_run_without_a_report_says_why_and_hides_the_key(tmp_path: Path) -> None:
    done = run(tmp_path, exit_status=3, says=f"refused: Bearer {KEY}")
    assert done.returncode == 2
    assert "refused: Bearer [redacted]" in done.stderr


def test_every_prompt_is_another_one_so_that_no_cache_answers(tmp_path: Path) -> None:
    run(tmp_path, step(), step())
    rows = (tmp_path / "results" / "prompts.jsonl").read_text().splitlines()
    assert len(rows) == len(set(rows)) == SETTINGS["prompts"]
    assert json.loads(rows[0])["output_tokens_count"] == 8


def job(chart: str) -> Json:
    return only(render(chart, BENCHMARK if chart == "benchmark" else GPU_SMOKE), "Job")


@pytest.mark.charts
@pytest.mark.parametrize("chart", ["benchmark", "gpu-smoke"])
def test_each_sync_runs_a_job_anew(chart: str) -> None:
    assert job(chart)["metadata"]["annotations"] == {
        "argocd.argoproj.io/hook": "Sync",
        "argocd.argoproj.io/hook-delete-policy": "BeforeHookCreation",
    }
    assert job(chart)["spec"]["activeDeadlineSeconds"] > 0


@pytest.mark.charts
def test_the_report_with_the_key_lies_in_memory() -> None:
    volumes = job("benchmark")["spec"]["template"]["spec"]["volumes"]
    (results,) = [one for one in volumes if one["name"] == "results"]
    assert results["emptyDir"]["medium"] == "Memory"


@pytest.mark.charts
def test_the_load_test_knows_all_that_it_is_given() -> None:
    config = only(render("benchmark", BENCHMARK), "ConfigMap")["data"]["settings.json"]
    assert json.loads(config).keys() == SETTINGS.keys()


@pytest.mark.charts
def test_a_measurement_is_not_repeated_on_a_warm_engine() -> None:
    assert job("benchmark")["spec"]["backoffLimit"] == 0


@pytest.mark.charts
def test_the_driver_is_looked_at_before_the_engine_computes() -> None:
    pod = job("gpu-smoke")["spec"]["template"]["spec"]
    assert [one["command"] for one in pod["initContainers"]] == [["nvidia-smi"]]
    for container in [*pod["initContainers"], *pod["containers"]]:
        assert container["resources"]["limits"]["nvidia.com/gpu"] == 1


@pytest.mark.charts
def test_a_compute_class_takes_the_pools_there_are_and_makes_none() -> None:
    made = only(render("compute-class", COMPUTE_CLASS), "ComputeClass")
    assert made["spec"]["priorities"] == [{"nodepools": ["l4-spot"]}, {"nodepools": ["l4", "t4"]}]
    assert made["spec"]["nodePoolAutoCreation"] == {"enabled": False}
    assert made["spec"]["whenUnsatisfiable"] == "DoNotScaleUp"


def test_a_pod_that_sees_no_gpu_fails_and_says_which_cuda_it_looked_for(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text(
        "__version__ = '2.0'\n"
        "class version:\n    cuda = '12.9'\n"
        "class cuda:\n    is_available = staticmethod(lambda: False)\n"
    )
    done = subprocess.run(
        [sys.executable, "-B", str(CHARTS / "gpu-smoke" / "files" / "prove_gpu.py")],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "PyTorch 2.0 (CUDA 12.9) sees no GPU" in done.stdout
