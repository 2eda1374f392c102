"""Builds a job from the parts, and runs it."""
