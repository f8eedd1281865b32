"""All I/O: streams, journal, subscribers, timers, settings, logging. Nothing here knows an order from a parcel."""
