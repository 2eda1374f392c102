"""Builds a job from the parts and runs it.

Begin with `flowreaper.job.run`, one run from lock to summary; `flowreaper.job.dry_run` is what a dry run does. May be
imported here: every stage, the client and the store, since this is where they are wired; nothing of the command.
"""
