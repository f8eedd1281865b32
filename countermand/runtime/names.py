"""Names of streams and subjects as one installation sees them: with its prefix, so that several share an account."""

from dataclasses import dataclass

from countermand.contracts.base import Owner


@dataclass(frozen=True, slots=True)
class Names:
    """Puts the prefix on and takes it off. `prefix` is empty or ends in a dot."""

    prefix: str = ""

    def subject(self, bare: str) -> str:
        """A contract's subject as the broker sees it."""
        return self.prefix + bare

    def bare(self, subject: str) -> str:
        """A broker's subject as the contracts spell it."""
        return subject.removeprefix(self.prefix)

    def stream(self, name: str) -> str:
        """A stream's name; names of streams may hold no dots."""
        return self.prefix.replace(".", "_") + name

    def journal(self, owner: Owner) -> str:
        """The stream that keeps an owner's events."""
        return self.stream(owner.upper())

    def consumer(self, service: Owner, stream: str) -> str:
        """The durable consumer of a service on a stream, which is also its queue group."""
        return f"{service}-{stream.lower()}"

    def delivery(self, service: Owner, stream: str) -> str:
        """Where that consumer delivers to."""
        return self.subject(f"deliver.{service}.{stream.lower()}")
