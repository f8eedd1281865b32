"""Backup and restore: what was saved comes back whole on an empty server, and what was open goes on there."""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from countermand.contracts.order import AskSellerToCancel, CancelReason
from countermand.runtime.embedded import NatsServer, start_nats
from countermand.runtime.settings import ConfigurationError, Settings
from countermand.runtime.streams import COMMANDS, TIMERS
from lab.audit import Options, audit
from lab.backup import command
from services.dispute.app import CARD as DISPUTE
from services.notify.app import CARD as NOTIFY
from services.order.app import CARD as ORDER
from services.seller.app import CARD as SELLER
from tests.integration.conftest import FASTEST, Shop, terms_now
from tests.support.orders import BUYER

ALL: Final = (ORDER, SELLER, DISPUTE, NOTIFY)
ASK: Final = AskSellerToCancel(actor=BUYER, reason=CancelReason.BETTER_OFFER)


async def test_a_restored_system_goes_on_where_it_was_saved(shop: Shop, server: NatsServer, tmp_path: Path) -> None:
    """One order has ended; of one the seller's time runs; one was asked for while the services were stopped."""
    async with shop.serving(*ALL):
        ended = await shop.place(profile="prompt", under=terms_now(rate=FASTEST / 2))
        await shop.do(ended, ASK)
        await shop.until_over(ended)
        waiting = await shop.place(under=terms_now(rate=FASTEST / 4))
        await shop.do(waiting, ASK)
        await shop.settled()
    await shop.send(ended, ASK)
    late = await shop.market.send(waiting, ASK)
    saved = {stream: len(await shop.stored(stream)) for stream in (COMMANDS, "ORDER", "SELLER", "NOTIFY")}
    armed = await shop.armed()
    assert await command.backup(server.url, tmp_path / "saved") == 0
    await shop.market.close()
    await server.kill()

    async with elsewhere(tmp_path) as other:
        assert await command.restore(other.settings.nats_url, tmp_path / "saved") == 0
        await other.connect()
        await other.market.watch()
        assert {stream: len(await other.stored(stream)) for stream in saved} == saved
        assert await other.armed() == armed
        async with other.serving(*ALL):
            await other.until(waiting, "OrderCancelled")
            await other.until(waiting, "EmailSent")
            await other.settled()
            placed = await other.place(profile="prompt", under=terms_now(rate=FASTEST / 2))
            await other.do(placed, ASK)
            await other.until_over(placed)
            await other.settled()
        cancelled = next(fact for fact in await other.facts(waiting) if fact.name == "OrderCancelled")
        assert cancelled.caused_by.endswith(":AnswerDue"), "the timer fired that was restored"
        assert len(await other.events(ended)) == saved["ORDER"] - 2
        assert late not in {fact.caused_by for fact in await other.facts(waiting)}
        report = await audit(other.market, Options(drained=True))
        assert (report.ok, report.orders) == (True, 3), report.violations
        await other.market.close()


async def test_timers_that_fell_due_before_the_restore_fire_after_it(
    shop: Shop, server: NatsServer, tmp_path: Path
) -> None:
    async with shop.serving(ORDER):
        order_id = await shop.place(under=terms_now(rate=FASTEST))
        request = await shop.do(order_id, ASK)
        await shop.settled()
    assert await command.backup(server.url, tmp_path / "saved") == 0
    assert len(await shop.armed()) == 2
    await shop.market.close()
    await server.kill()
    async with elsewhere(tmp_path) as other:
        await command.restore(other.settings.nats_url, tmp_path / "saved")
        await other.connect()
        await other.market.watch()
        async with other.serving(ORDER):
            cancelled = await other.until(order_id, "OrderCancelled")
            assert (cancelled.at - request.at).total_seconds() >= 1.9
            await other.settled()
        await other.market.close()


async def test_a_backup_of_a_system_at_work_is_refused(
    shop: Shop, server: NatsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The copies would not belong together: one service's would know of an effect whose cause another's does not."""
    save = command.save

    async def save_while_people_order(*args: Any) -> dict[str, Any]:
        saved = await save(*args)
        if args[1] == "ORDER":
            await shop.place()
        return saved

    monkeypatch.setattr(command, "save", save_while_people_order)
    async with shop.serving(*ALL):
        with pytest.raises(ConfigurationError, match=r"ORDER, .* moved.* stop the services, not the broker"):
            await command.backup(server.url, tmp_path / "saved")
    with pytest.raises(ConfigurationError, match=r"is no backup: .*manifest\.json cannot be read"):
        await command.restore(server.url, tmp_path / "saved")


@pytest.mark.usefixtures("shop")
async def test_mistakes_are_refused_before_anything_is_done(server: NatsServer, tmp_path: Path) -> None:
    folder = tmp_path / "saved"
    await command.backup(server.url, folder)
    with pytest.raises(ConfigurationError, match=r"has .* in it: a backup wants a folder of its own"):
        await command.backup(server.url, folder)
    with pytest.raises(ConfigurationError, match=r"the server has ORDER, .* already"):
        await command.restore(server.url, folder)

    snapshot = folder / f"{TIMERS}.snapshot"
    whole = snapshot.read_bytes()
    snapshot.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(ConfigurationError, match="is damaged"):
        await command.restore(server.url, folder)
    snapshot.unlink()
    with pytest.raises(ConfigurationError, match=f"lacks {TIMERS}.snapshot"):
        await command.restore(server.url, folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["streams"][0]["stream"] = "../ORDER"
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ConfigurationError, match=r"streams\.0\.stream: String should match pattern"):
        await command.restore(server.url, folder)


async def test_many_chunks_come_back_as_they_were(shop: Shop, server: NatsServer, tmp_path: Path) -> None:
    bodies = [bytes([number % 256]) + str(number).encode() * 9_000 for number in range(200)]
    for body in bodies:
        await shop.put("cmd.order.x.Nope", body[:60_000])
    await command.backup(server.url, tmp_path / "saved")
    saved = await shop.stored(COMMANDS)
    await shop.market.close()
    await server.kill()
    async with elsewhere(tmp_path) as other:
        await command.restore(other.settings.nats_url, tmp_path / "saved")
        await other.connect()
        assert await other.stored(COMMANDS) == saved
        await other.market.close()


@asynccontextmanager
async def elsewhere(tmp_path: Path) -> AsyncGenerator[Shop]:
    """An empty server, on which nothing is provisioned."""
    server = await start_nats(tmp_path / "elsewhere")
    try:
        yield Shop(Settings(nats_url=server.url), tmp_path)
    finally:
        await server.kill()
