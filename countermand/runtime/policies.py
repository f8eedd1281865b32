"""Policies by their hash: each is stored once in the stream `POLICIES` and kept in memory by whoever meets it."""

import json
from collections import OrderedDict
from typing import Final

from nats.js import JetStreamContext
from nats.js.errors import NotFoundError
from pydantic import ValidationError

from countermand.kernel.policy import Policy
from countermand.kernel.terms import Terms, TermsRef
from countermand.runtime.names import Names

_DEFAULT: Final = Policy()
_MAX_CACHED: Final = 1_000
"""Policies in memory, a few KiB each; more than an experiment ever compares."""


class UnknownPolicy(Exception):
    """An order names a policy that nobody has stored."""


class Policies:
    """Finds and stores policies."""

    def __init__(self, js: JetStreamContext, names: Names) -> None:
        self._js = js
        self._names = names
        self._cache: OrderedDict[str, Policy] = OrderedDict()

    async def put(self, policy: Policy) -> None:
        """Store a policy, so that orders may name it. Doing it again changes nothing."""
        if policy.hash != _DEFAULT.hash:
            payload = json.dumps(policy.model_dump(mode="json")).encode()
            await self._js.publish(self._names.subject(f"policy.{policy.hash}"), payload)
            self._remember(policy)

    async def terms(self, ref: TermsRef) -> Terms:
        """The terms with their policy's values.

        Raises:
            UnknownPolicy: nobody has stored it.
        """
        policy = _DEFAULT if ref.policy == _DEFAULT.hash else self._cache.get(ref.policy)
        if policy is None:
            policy = await self._load(ref.policy)
            self._remember(policy)
        return Terms(seed=ref.seed, policy=policy, clock=ref.clock)

    async def _load(self, policy_hash: str) -> Policy:
        stream, subject = self._names.stream("POLICIES"), self._names.subject(f"policy.{policy_hash}")
        try:
            stored = await self._js.get_last_msg(stream, subject)
            policy = Policy.model_validate_json(stored.data or b"")
        except NotFoundError as error:
            msg = f"no policy {policy_hash} is stored"
            raise UnknownPolicy(msg) from error
        except ValidationError as error:
            msg = f"the policy stored as {policy_hash} cannot be read by this version"
            raise UnknownPolicy(msg) from error
        if policy.hash != policy_hash:
            msg = f"the policy stored as {policy_hash} is really {policy.hash}"
            raise UnknownPolicy(msg)
        return policy

    def _remember(self, policy: Policy) -> None:
        self._cache[policy.hash] = policy
        if len(self._cache) > _MAX_CACHED:
            self._cache.popitem(last=False)
