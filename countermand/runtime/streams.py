"""Provisioning: the streams and durable consumers, created or updated in one step of its own and nowhere else."""

from collections.abc import Iterable
from typing import Final

from nats.js import JetStreamContext
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DeliverPolicy,
    DiscardPolicy,
    RetentionPolicy,
    StorageType,
    StreamConfig,
)
from nats.js.errors import APIError, NotFoundError

from countermand.contracts.base import Owner
from countermand.runtime.card import Subscription
from countermand.runtime.names import Names
from countermand.runtime.settings import ConfigurationError, Settings

COMMANDS: Final = "COMMANDS"
TIMERS: Final = "TIMERS"
REPLY: Final = "REPLY"
DEAD: Final = "DEAD"
POLICIES: Final = "POLICIES"

_REFUSALS_KEPT_S: Final = 3600
"""A refusal answers somebody who waits; nobody waits for longer than an hour."""


def stream_names(names: Names) -> list[str]:
    """Every stream of an installation, by name."""
    return [names.journal(owner) for owner in Owner] + [
        names.stream(name) for name in (COMMANDS, REPLY, DEAD, POLICIES, TIMERS)
    ]


def stream_configs(names: Names, settings: Settings) -> list[StreamConfig]:
    """Every stream of an installation."""
    s = names.subject
    journals = [_kept(names.stream(owner.upper()), [s(f"{owner}.>")], settings, deny_delete=True) for owner in Owner]
    return [
        *journals,
        _kept(names.stream(COMMANDS), [s("cmd.>")], settings),
        _kept(names.stream(REPLY), [s("reply.>")], settings, max_age=_REFUSALS_KEPT_S),
        _kept(names.stream(DEAD), [s("dead.>"), s("retry.>")], settings),
        _kept(names.stream(POLICIES), [s("policy.*")], settings, max_msgs_per_subject=1),
        # A fired timer is gone once its service has dealt with it; of all cancellations the last one stays. No max_age
        # and no max_bytes: with either, JetStream silently drops schedules.
        StreamConfig(
            name=names.stream(TIMERS),
            subjects=[s("timer.>"), s("due.>")],
            retention=RetentionPolicy.WORK_QUEUE,
            storage=StorageType.FILE,
            max_msgs_per_subject=1,
            num_replicas=settings.stream_replicas,
            duplicate_window=settings.dedupe_window_s,
            allow_direct=True,
            allow_msg_schedules=True,
        ),
    ]


def consumer_config(names: Names, service: Owner, subscription: Subscription, settings: Settings) -> ConsumerConfig:
    """The durable push consumer behind a subscription. All replicas of the service share it as one queue group."""
    name = names.consumer(service, subscription.stream)
    return ConsumerConfig(
        durable_name=name,
        deliver_group=name,
        deliver_subject=names.delivery(service, subscription.stream),
        deliver_policy=DeliverPolicy.ALL,
        filter_subjects=[names.subject(subject) for subject in subscription.subjects],
        ack_policy=AckPolicy.EXPLICIT,
        ack_wait=settings.ack_wait_s,
        max_ack_pending=settings.max_ack_pending,
        # Unlimited: an outage must never use up a message's deliveries. Repeated failures are counted in the lane.
        max_deliver=-1,
    )


async def provision(
    js: JetStreamContext, names: Names, settings: Settings, services: Iterable[tuple[Owner, Iterable[Subscription]]]
) -> None:
    """Create what is missing and update what differs.

    Raises:
        ConfigurationError: JetStream refuses a stream or a consumer, or has TIMERS with a bound that loses schedules.
    """
    try:
        for config in stream_configs(names, settings):
            await _put_stream(js, config)
        for service, subscriptions in services:
            for subscription in subscriptions:
                config = consumer_config(names, service, subscription, settings)
                await js.add_consumer(names.stream(subscription.stream), config=config)
    except APIError as error:
        msg = f"JetStream refuses the provisioning: {error.description} (code {error.err_code})"
        raise ConfigurationError(msg) from error


async def check_provisioned(
    js: JetStreamContext, names: Names, service: Owner, subscriptions: Iterable[Subscription]
) -> None:
    """Refuse to start a service without its consumers: it would hear nothing, and say nothing of it.

    Raises:
        ConfigurationError: one is missing, or `check_timers` finds fault.
    """
    for subscription in subscriptions:
        stream, consumer = names.stream(subscription.stream), names.consumer(service, subscription.stream)
        try:
            await js.consumer_info(stream, consumer)
        except NotFoundError as error:
            msg = f"{stream} with the consumer {consumer} does not exist: run `countermand provision`"
            raise ConfigurationError(msg) from error
    await check_timers(js, names)


async def check_timers(js: JetStreamContext, names: Names) -> None:
    """Refuse a TIMERS stream whose bounds would lose schedules.

    Raises:
        ConfigurationError: it has `max_age` or `max_bytes`.
    """
    config = (await js.stream_info(names.stream(TIMERS))).config
    if config.max_age or (config.max_bytes or -1) > 0:
        msg = f"{config.name} has a max_age or max_bytes, which silently loses timers: run `countermand provision`"
        raise ConfigurationError(msg)


async def _put_stream(js: JetStreamContext, config: StreamConfig) -> None:
    assert config.name is not None  # noqa: S101  # Every config above names its stream.
    try:
        await js.stream_info(config.name)
    except NotFoundError:
        await js.add_stream(config)
    else:
        await js.update_stream(config)


def _kept(
    name: str,
    subjects: list[str],
    settings: Settings,
    *,
    max_age: float = 0,
    max_msgs_per_subject: int = -1,
    deny_delete: bool = False,
) -> StreamConfig:
    """A stream that keeps what it gets, and refuses more when it is full rather than forget."""
    return StreamConfig(
        name=name,
        subjects=subjects,
        retention=RetentionPolicy.LIMITS,
        discard=DiscardPolicy.OLD if max_age or max_msgs_per_subject > 0 else DiscardPolicy.NEW,
        storage=StorageType.FILE,
        max_bytes=settings.stream_max_bytes,
        max_age=max_age,
        max_msgs_per_subject=max_msgs_per_subject,
        num_replicas=settings.stream_replicas,
        duplicate_window=min(settings.dedupe_window_s, max_age) if max_age else settings.dedupe_window_s,
        allow_direct=True,
        deny_delete=deny_delete,
    )
