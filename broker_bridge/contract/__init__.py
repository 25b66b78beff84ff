"""The public words of onewindow: what crosses a wire or a disk. msgspec and the standard library, no I/O."""
