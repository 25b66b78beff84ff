"""The agent's workstation: one terminal window for every channel."""
