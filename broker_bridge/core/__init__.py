"""The rules: pure functions over contract Structs. No clock, no I/O, no async."""
