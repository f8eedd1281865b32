"""`countermand policy put` against a real broker."""

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import nats
import pytest

from countermand.kernel.policy import OnSilence, Policy
from countermand.kernel.terms import Clock, TermsRef
from countermand.runtime.embedded import NatsServer, start_nats
from countermand.runtime.names import Names
from countermand.runtime.policies import Policies, UnknownPolicy
from countermand.runtime.settings import Settings
from countermand.runtime.streams import provision


async def test_an_order_may_name_the_hash_of_a_stored_policy(tmp_path: Path) -> None:
    """Storing it twice changes nothing."""
    policy = Policy(on_silence=OnSilence.WAIT)
    file = tmp_path / "policy.yaml"
    file.write_text("on_silence: wait\n", encoding="utf-8")
    clock = Clock(epoch=datetime(2023, 3, 1, tzinfo=UTC), started_at=datetime(2026, 1, 1, tzinfo=UTC), rate=1)
    ref = TermsRef(seed=7, policy=policy.hash, clock=clock)
    server = await start_nats(tmp_path / "nats")
    try:
        nc = await nats.connect(server.url)
        await provision(nc.jetstream(), Names(), Settings(), [])
        with pytest.raises(UnknownPolicy):
            await Policies(nc.jetstream(), Names()).terms(ref)
        for _ in range(2):
            assert put(file, server) == (0, f"stored, hash {policy.hash}\n", "")
        assert (await Policies(nc.jetstream(), Names()).terms(ref)).policy == policy
        await nc.close()
    finally:
        await server.stop()


async def test_where_no_streams_are_the_operator_is_told_to_provision(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text("on_silence: wait\n", encoding="utf-8")
    server = await start_nats(tmp_path / "nats")
    try:
        code, out, said = put(file, server)
    finally:
        await server.stop()
    assert (code, out) == (2, "")
    assert said.count("\n") == 1
    assert "has `countermand provision` run there?" in said


def put(file: Path, server: NatsServer) -> tuple[int, str, str]:
    arguments = ["policy", "put", str(file), "--nats", server.url]
    ended = subprocess.run([sys.executable, "-m", "lab.cli", *arguments], capture_output=True, text=True, check=False)
    return ended.returncode, ended.stdout, ended.stderr
