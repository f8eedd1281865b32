"""Storing a policy in a running system."""

from nats.errors import Error as NatsError

from countermand.kernel.policy import Policy
from countermand.runtime.names import Names
from countermand.runtime.settings import ConfigurationError, load_settings
from lab.market import Market


async def store(policy: Policy, nats_url: str) -> None:
    """Store it, so that orders may name its hash.

    Raises:
        ConfigurationError: nobody answers there, or the streams are missing.
    """
    market = await Market.connect(nats_url, Names(load_settings().subject_prefix))
    try:
        await market.policies.put(policy)
    except NatsError as error:
        msg = f"{nats_url} does not store the policy ({error}); has `countermand provision` run there?"
        raise ConfigurationError(msg) from error
    finally:
        await market.close()
