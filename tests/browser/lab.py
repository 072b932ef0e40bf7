"""A real JupyterLab server, and a notebook open in it in Chromium, driven as a person would.

lab.write("a.ipynb", "print('hello')")
await notebook.open("a.ipynb")
await notebook.run(0)
assert await notebook.cell(0).text() == "hello"

running = await notebook.begin(1)       # press Ctrl-Enter and go on
await running.grown(3)                  # its output has had three lengths
await notebook.stop()                   # press the toolbar's button
lengths = await running.finished()      # every length that the output had, in order
"""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import nbformat
from nbformat import v4
from playwright.async_api import ElementHandle, Locator, Page, expect

from tests.offline import child_environment

__all__ = ["LOADED", "Cell", "JupyterLab", "Notebook", "Running", "chromium_path"]

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "build" / "screenshots"

SETTINGS = {
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "docmanager-extension/plugin": {"autosave": False},
    "notebook-extension/tracker": {"windowingMode": "none"},
}
"""No pop-up about news, nothing saved unless told, and every cell in the page."""

LOADED = """
async () => {
  await window.jupyterapp.restored;
  const panels = [...window.jupyterapp.shell.widgets('main')].filter(w => w.sessionContext);
  for (const panel of panels) {
    await panel.revealed;
    await panel.context.ready;
    await panel.sessionContext.ready;
  }
}
"""

WATCH = """
cell => {
  const seen = {lengths: [], started: false, ended: false};
  const look = () => {
    const prompt = cell.querySelector('.jp-InputPrompt').textContent;
    if (prompt === '[*]:') seen.started = true;
    else if (seen.started) seen.ended = true;
    const area = cell.querySelector('.jp-OutputArea-child') && cell.querySelector('.jp-OutputArea');
    const length = area ? area.innerText.length : 0;
    if (length !== (seen.lengths.at(-1) ?? 0)) seen.lengths.push(length);
  };
  new MutationObserver(look).observe(cell, {subtree: true, childList: true, characterData: true});
  cell.nbagentsSeen = seen;
}
"""


def chromium_path() -> str:
    """Find the browser that the system has."""
    found = filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome")))
    path = next(found, None)
    assert path, "There is no Chromium: `make test` installs it."
    return path


class JupyterLab:
    """A JupyterLab server with settings of its own, which nobody else sees."""

    def __init__(self, home: Path, *, plain: bool = False, python: str = sys.executable) -> None:
        """Start it with a copy of `notebooks/` as its root; all its files are in `home`.

        A `plain` one is without the extension of nbagents. It is the JupyterLab of `python`.
        """
        self.root = home / "root"
        shutil.copytree(ROOT / "notebooks", self.root)
        if plain:
            page = home / "config" / "labconfig" / "page_config.json"
            page.parent.mkdir(parents=True)
            page.write_text(json.dumps({"disabledExtensions": {"@nbagents/labextension": True}}))
        self.home = home
        self.reset()
        own = {
            "IPYTHONDIR": "ipython",
            "JUPYTERLAB_SETTINGS_DIR": "settings",
            "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
            "JUPYTER_CONFIG_DIR": "config",
            "JUPYTER_DATA_DIR": "data",
            "JUPYTER_RUNTIME_DIR": "runtime",
        }
        folders = {name: str(home / folder) for name, folder in own.items()}
        command = [
            python,
            "-m",
            "jupyterlab",
            "--allow-root",
            "--no-browser",
            "--port=0",
            "--LabApp.expose_app_in_browser=True",
            "--JupyterNotebookApp.expose_app_in_browser=True",
        ]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*command, "--ip=127.0.0.1", f"--ServerApp.root_dir={self.root}"],
                env=child_environment(JUPYTER_PREFER_ENV_PATH="1", **folders),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        started = self._wait_until_it_listens()
        self.url = started["url"]
        self.token = started["token"]

    @property
    def _log(self) -> Path:
        return self.home / "jupyterlab.log"

    def _wait_until_it_listens(self, seconds: float = 60) -> dict[str, Any]:
        end = time.monotonic() + seconds
        about = self.home / "runtime" / f"jpserver-{self._process.pid}.json"
        while self._process.poll() is None and time.monotonic() < end:
            if about.exists() and (text := about.read_text()):
                return json.loads(text)
            time.sleep(0.05)
        self.stop()
        raise AssertionError(f"JupyterLab did not start:\n{self._log.read_text()[-4000:]}")

    def reset(self) -> None:
        """Forget the settings that were chosen in a page, such as the theme."""
        shutil.rmtree(self.home / "settings", ignore_errors=True)
        for name, values in SETTINGS.items():
            path = self.home / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(values))

    def write(self, name: str, *sources: str) -> Path:
        """Write a notebook of code cells and return where it is."""
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        cells = [v4.new_code_cell(source) for source in sources]
        notebook = v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
        nbformat.write(notebook, self.root / name)
        return self.root / name

    def stop(self) -> None:
        """End the server and its kernels."""
        self._process.terminate()
        self._process.wait(timeout=30)


class Notebook:
    """The notebook that is open in the page."""

    def __init__(self, page: Page, lab: JupyterLab) -> None:
        self.page = page
        self.lab = lab
        self.path = lab.root
        page.set_default_timeout(30_000)
        page.on("dialog", lambda dialog: dialog.accept())  # "Leave the page?"

    async def open(self, name: str) -> None:
        """Open a file of the server's root, alone, and wait until its kernel is ready."""
        self.path = self.lab.root / name
        await self.page.goto(f"{self.lab.url}lab/tree/{name}?reset&token={self.lab.token}")
        await self._loaded()
        await self.idle()

    async def reload(self) -> None:
        """Reload the page, as F5 does, and wait until the notebook is back."""
        await self.page.reload()
        await self._loaded()

    async def idle(self) -> None:
        """Wait until the page shows the kernel as idle."""
        indicator = self.page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]")
        await indicator.wait_for(timeout=60_000)

    async def _loaded(self) -> None:
        await self.page.locator(".jp-Notebook .jp-Cell").first.wait_for(timeout=60_000)
        # The page draws the notebook before it has connected it, and then draws it anew.
        async with asyncio.timeout(60):
            await self.page.evaluate(LOADED)

    def cell(self, index: int) -> Cell:
        """The cell at `index`, Markdown cells counted too."""
        return Cell(self.page, self.page.locator(".jp-Notebook .jp-Cell").nth(index))

    async def begin(self, index: int) -> Running:
        """Select the cell, press Ctrl-Enter, and return once it runs."""
        running = await self.cell(index).watch()
        await self.cell(index).select()
        await self.page.keyboard.press("Control+Enter")
        return running

    async def run(self, index: int, seconds: float = 60) -> list[int]:
        """Run a cell to its end; return the lengths that its output had."""
        return await (await self.begin(index)).finished(seconds)

    async def run_all(self, seconds: float = 300) -> None:
        """Choose Run > Run All Cells, and wait until no cell waits or runs."""
        first = await Cell(self.page, self.page.locator(".jp-Notebook .jp-CodeCell").first).watch()
        await self.choose("Run", "Run All Cells")
        await first.finished(seconds)
        await self.settled(seconds)

    async def settled(self, seconds: float = 60) -> None:
        """Wait until no cell waits or runs.

        Raises `AssertionError` that shows the cell which runs.
        """
        waiting = self.page.locator(".jp-CodeCell").filter(
            has=self.page.locator(".jp-InputPrompt", has_text="[*]:")
        )
        try:
            await expect(waiting).to_have_count(0, timeout=seconds * 1000)
        except AssertionError:
            shown = await waiting.first.inner_text()
            raise AssertionError(f"After {seconds} s there still runs:\n{shown}") from None
        await self.idle()

    async def stop(self) -> None:
        """Press the toolbar's Stop button."""
        await self._toolbar("interrupt")

    async def restart(self) -> None:
        """Press the toolbar's Restart button, and agree."""
        await self._toolbar("restart")
        await self.page.locator(".jp-Dialog .jp-mod-accept").click()
        await expect(self.page.locator(".jp-Dialog")).to_have_count(0)
        await self.idle()

    async def save(self) -> None:
        """Press the toolbar's Save button, and wait until the server has the file."""
        file = f"/api/contents/{self.path.relative_to(self.lab.root)}"
        async with self.page.expect_response(
            lambda answer: answer.request.method == "PUT" and file in answer.url
        ):
            await self._toolbar("save")

    def saved(self) -> nbformat.NotebookNode:
        """Read the file, as it is on the disk."""
        return nbformat.read(self.path, as_version=4)

    async def dark(self) -> None:
        """Choose Settings > Theme > JupyterLab Dark."""
        await self.choose("Settings", "Theme", "JupyterLab Dark")
        await self.page.locator("body[data-jp-theme-light=false]").wait_for(state="attached")
        await expect(self.page.locator("#jupyterlab-splash")).to_have_count(0)

    async def choose(self, *path: str) -> None:
        """Choose from the menu bar: `choose("Run", "Run All Cells")`."""
        bar, *entries = path
        await self.page.get_by_role("menuitem", name=bar, exact=True).first.click()
        for entry in entries:
            item = self.page.locator(".lm-Menu-item").filter(
                has=self.page.locator(".lm-Menu-itemLabel").get_by_text(entry, exact=True)
            )
            await item.click()

    async def screenshot(self, name: str) -> Path:
        """Write `build/screenshots/NAME.png`."""
        path = PICTURES / f"{name}.png"
        await self.page.screenshot(path=path)
        return path

    async def close(self) -> None:
        """End the kernels that the page has started."""
        sessions = f"{self.lab.url}api/sessions"
        headers = {"Authorization": f"token {self.lab.token}"}
        answer = await self.page.request.get(sessions, headers=headers)
        for session in await answer.json():
            await self.page.request.delete(f"{sessions}/{session['id']}", headers=headers)

    async def _toolbar(self, item: str) -> None:
        toolbar = self.page.locator(".jp-NotebookPanel-toolbar")
        await toolbar.locator(f"[data-jp-item-name={item}]").locator("jp-button").click()


class Cell:
    """A cell of the notebook in the page."""

    def __init__(self, page: Page, node: Locator) -> None:
        self.page = page
        self.node = node
        self.output = node.locator(".jp-Cell-outputWrapper")
        """What is below the input, for Playwright's own expectations."""

    async def text(self) -> str:
        """The output as it is seen, without the prompt numbers."""
        parts = self.output.locator(".jp-OutputArea-output")
        return "\n".join([(await part.inner_text()).rstrip() for part in await parts.all()])

    async def html(self) -> str:
        """The output's markup."""
        parts = self.output.locator(".jp-OutputArea-output")
        return "\n".join([await part.inner_html() for part in await parts.all()])

    async def prompt(self) -> str:
        """`[3]:`, or `[*]:` while it waits or runs, or `[ ]:` when it has not run."""
        return await self.node.locator(".jp-InputPrompt").inner_text()

    async def select(self) -> None:
        """Select the cell in command mode."""
        await self.node.locator(".jp-InputPrompt").click()
        await expect(self.node).to_be_focused()

    async def watch(self) -> Running:
        """Note from now on what happens to the cell; to be called before it is run."""
        node = await self.node.element_handle()
        await node.evaluate(WATCH)
        return Running(self.page, node)


class Running:
    """A cell that was told to run, watched from inside the page."""

    def __init__(self, page: Page, node: ElementHandle) -> None:
        self._page = page
        self._node = node

    async def grown(self, times: int, seconds: float = 60) -> None:
        """Wait until the output has had so many different lengths, and the cell still runs.

        Raises `AssertionError` when the cell ends before that.
        """
        await self._wait(f"seen.ended || seen.lengths.length >= {times}", seconds)
        seen = await self._seen()
        assert not seen["ended"], f"The cell ended after {seen['lengths']}"

    async def finished(self, seconds: float = 60) -> list[int]:
        """Wait for the cell's end; return each length that its output had, in order."""
        await self._wait("seen.ended", seconds)
        return (await self._seen())["lengths"]

    async def _wait(self, condition: str, seconds: float) -> None:
        await self._page.wait_for_function(
            f"node => {{ const seen = node.nbagentsSeen; return {condition}; }}",
            arg=self._node,
            timeout=seconds * 1000,
        )

    async def _seen(self) -> dict[str, Any]:
        return await self._node.evaluate("node => node.nbagentsSeen")
