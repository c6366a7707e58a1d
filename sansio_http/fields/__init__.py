"""Header fields that the core reads: one module for each kind of value. Nothing here raises on what a server sends."""
