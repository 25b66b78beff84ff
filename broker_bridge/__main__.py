"""`broker-bridge`, and `python -m broker_bridge`."""

from broker_bridge.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
