"""What surrounds a deletion: which flows may be deleted, what is saved before, and the proof afterwards.

Begin with `flowreaper.safeguards.guard`. May be imported here: client, model, errors, events, escaping. Not the
workers, which ask a guard through a protocol of their own, nor the checkpoint.
"""
