"""The rules of the house: pure functions over contract Structs. No clock, no I/O, no async."""
