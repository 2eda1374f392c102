"""Sends claimed flows, and acts on replies."""
