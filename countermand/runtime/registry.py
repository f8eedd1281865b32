"""A registry of one process, with what there is to say of every process."""

from importlib.metadata import version

from prometheus_client import CollectorRegistry, Gauge, ProcessCollector, disable_created_metrics


def process_registry(service: str) -> CollectorRegistry:
    """A registry of one process, with what there is to say of every process."""
    disable_created_metrics()  # A series more for each one, which nobody asks for.
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    build = Gauge("countermand_build_info", "Always 1.", ["service", "version"], registry=registry)
    build.labels(service, version("countermand")).set(1)
    return registry
