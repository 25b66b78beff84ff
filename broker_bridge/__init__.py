"""broker_bridge: the daemon that relays every channel through NATS."""
