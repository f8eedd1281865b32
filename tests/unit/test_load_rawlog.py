"""A run's folder keeps the log of one run."""

import os
from pathlib import Path

import pytest
from rich.console import Console

from countermand.runtime.settings import ConfigurationError
from lab.load.rawlog import FILE, RawLogWriter
from lab.load.report import PAGE
from lab.load.reporting import Copies, again
from tests.support.raw_logs import plain, write


def test_a_folder_that_holds_a_run_is_refused_and_its_log_left_alone(tmp_path: Path) -> None:
    """An hour of measuring is not lost to a second `--out`."""
    path = write(tmp_path, [plain(6.0)])
    before = path.read_bytes()
    with pytest.raises(ConfigurationError, match="already holds a run: name another folder with --out"):
        RawLogWriter(tmp_path)
    assert path.read_bytes() == before


def test_a_run_that_never_began_leaves_no_log(tmp_path: Path) -> None:
    """So that the same command can be given again."""
    for _ in range(2):
        writer = RawLogWriter(tmp_path)
        assert writer.path.exists()
        writer.close()
        writer.close()
    assert not (tmp_path / FILE).exists()


def test_the_page_may_be_wanted_where_it_is(tmp_path: Path) -> None:
    """By its name, or by another name of the same file."""
    write(tmp_path, [plain(6.0)])
    page, other = tmp_path / PAGE, tmp_path / "other.html"
    for _ in range(2):
        again(str(tmp_path), Copies(html=page), Console(quiet=True))
    other.hardlink_to(page)
    again(str(tmp_path), Copies(html=other), Console(quiet=True))
    assert other.samefile(page)
    assert page.stat().st_size > 0


def test_a_full_disk_is_told_in_a_line(tmp_path: Path) -> None:
    """Whenever it is noticed; the log can be closed all the same, and its file is left."""
    writer = RawLogWriter(tmp_path)
    writer.write("run", {})
    written = next(int(one.name) for one in Path("/proc/self/fd").iterdir() if one.resolve() == writer.path)
    with Path("/dev/full").open("wb") as full:
        os.dup2(full.fileno(), written)
    for attempt in (writer.flush, writer.close):
        with pytest.raises(ConfigurationError, match=r"run\.jsonl\.zst: cannot be written: No space left on device"):
            attempt()
    writer.close()
    assert (tmp_path / FILE).exists()
