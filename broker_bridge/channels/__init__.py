"""The channels: one kind a file or folder, and no channel knows another."""
