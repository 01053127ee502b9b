import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support import npm


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(npm, "CACHE", tmp_path / "npm")
    return tmp_path / "npm"


@pytest.mark.slow
def test_a_package_is_installed_once_however_many_ask_at_the_same_time(empty_cache: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        found = {path.result() for path in [pool.submit(npm.npm_package, "is-number", "7.0.0") for _ in range(4)]}

    (package,) = found
    assert (package / "package.json").is_file()
    assert sorted(path.name for path in empty_cache.iterdir()) == ["is-number-7.0.0", "is-number-7.0.0.lock"]


@pytest.mark.slow
def test_an_installed_package_can_be_required_by_node(empty_cache: Path) -> None:
    package = npm.npm_package("is-number", "7.0.0")
    script = "process.stdout.write(String(require('is-number')('5e3')))"

    done = subprocess.run([npm.NODE, "-e", script], cwd=package.parents[1], capture_output=True, text=True, check=True)

    assert done.stdout == "true"


@pytest.mark.slow
def test_a_package_that_does_not_exist_is_named_in_the_error(empty_cache: Path) -> None:
    with pytest.raises(npm.CouldNotGet, match=r"npm package is-number@0\.0\.99"):
        npm.npm_package("is-number", "0.0.99", dependencies=False)

    assert [path.name for path in empty_cache.iterdir()] == ["is-number-0.0.99-alone.lock"]
