"""When a call may be sent."""
