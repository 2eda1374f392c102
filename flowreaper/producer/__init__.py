"""Where flow ids come from."""
