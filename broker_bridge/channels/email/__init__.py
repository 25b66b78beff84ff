"""The e-mail channel: `mime`, `html`, `quotes`, `references`, `automatic` and `compose` are its pure half."""
