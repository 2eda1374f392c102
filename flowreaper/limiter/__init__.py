"""When a call may be sent. Begin with `flowreaper.limiter.limiter`."""
