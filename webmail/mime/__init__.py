"""Mail formats, pure: bytes in, values out. No I/O, no clock, no Django."""
