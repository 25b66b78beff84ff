"""What fills the window: the workstation, the monitor, dialogs that return a value."""
