"""The checkpoint: what is durable."""
