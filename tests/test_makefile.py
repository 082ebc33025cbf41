"""What `make` would run."""

import re
import subprocess

from tests.conftest import REPOSITORY


def commands(*arguments: str) -> str:
    done = subprocess.run(
        ["make", "--dry-run", "--no-print-directory", *arguments],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    return re.sub(r"\s*\\\n\s*", " ", done.stdout)


def test_the_demo_takes_no_options_by_default() -> None:
    assert re.search(r"^\.venv/bin/freshet demo\s*$", commands("demo"), re.MULTILINE)


def test_the_demo_hands_on_what_it_is_given_blanks_too() -> None:
    made = commands("demo", "DATA=my texts.csv", "TASK=news", "WINDOW=100", "REPORT=out.json")
    wanted = "--data 'my texts.csv' --task 'news' --window '100' --report 'out.json'"
    assert wanted in " ".join(made.split())


def test_a_test_run_checks_format_lint_types_imports_and_behaviour() -> None:
    made = commands("test")
    steps = ["ruff format --check", "ruff check", "mypy", "lint-imports", "pytest"]
    places = [made.index(f".venv/bin/{step}") for step in steps]
    assert places == sorted(places)


def test_a_fresh_checkout_gets_its_environment_first() -> None:
    made = commands("--always-make", "demo")
    steps = ["-m venv .uv", "pip install", "sync --frozen", "freshet demo"]
    places = [made.index(step) for step in steps]
    assert places == sorted(places)


def test_ci_runs_make_test_and_does_not_let_a_broker_be_absent() -> None:
    script = (REPOSITORY / ".ci" / "run").read_text()
    assert script.startswith("#!/usr/bin/env bash\n")
    assert "set -euo pipefail" in script
    assert 'export CI="${CI:-true}"' in script
    assert "export MAKEFLAGS=--jobs=2" in script
    assert script.rstrip().endswith("exec make test")


def test_the_benchmark_of_learning_gets_avalanche_in_an_environment_apart() -> None:
    made = commands("--always-make", "bench-learning", "ARGS=--streams yelp")
    steps = ["sync --frozen", "pip sync", ".venv/bin/python -m benchmarks.learning --streams yelp"]
    places = [made.index(step) for step in steps]
    assert places == sorted(places)
    assert "--python .avalanche-venv/bin/python" in made


def test_the_demo_is_not_preceded_by_its_command() -> None:
    recipe = (REPOSITORY / "Makefile").read_text().split("\ndemo: ")[1].splitlines()[1]
    assert recipe.startswith("\t@$(BIN)/freshet demo")
