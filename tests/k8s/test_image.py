"""The Dockerfile and what it leaves out."""

import fnmatch
import tomllib

from tests.conftest import REPOSITORY

DOCKERFILE = (REPOSITORY / "Dockerfile").read_text()


def packages() -> list[str]:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    found: list[str] = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    return found


def test_every_package_of_the_wheel_is_copied_into_the_build() -> None:
    for package in packages():
        assert f"COPY {package} {package}\n" in DOCKERFILE


def test_no_ignore_rule_drops_source() -> None:
    for name in (".dockerignore", ".gitignore"):
        rules = (REPOSITORY / name).read_text().splitlines()
        patterns = [rule.strip("/") for rule in rules if rule and not rule.startswith("#")]
        for package in packages():
            for path in (REPOSITORY / package).rglob("*"):
                parts = path.relative_to(REPOSITORY).parts
                if "__pycache__" in parts:
                    continue
                dropped = [
                    pattern
                    for pattern in patterns
                    for part in parts
                    if fnmatch.fnmatch(part, pattern.removeprefix("**/"))
                ]
                assert not dropped, f"{name}: {dropped} drops {path}"


def test_the_image_runs_the_one_command_as_nobody_special() -> None:
    assert 'ENTRYPOINT ["freshet"]' in DOCKERFILE
    assert "USER 10001:10001" in DOCKERFILE
