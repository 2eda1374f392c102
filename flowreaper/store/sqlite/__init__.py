"""The checkpoint as an SQLite file."""
