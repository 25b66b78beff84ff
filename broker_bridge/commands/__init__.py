"""One subcommand a file, loaded when it is asked for: `execute(args)` does it and gives the exit code."""
