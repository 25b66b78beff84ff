"""Themes of the terminal window: one .toml a theme, data only. A package so that an installed wheel finds them."""
