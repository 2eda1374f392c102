"""Where flow ids come from: files, pipes, and what a program has already.

Begin with `flowreaper.producer.files`, which hands over batches of entries; `flowreaper.producer.formats` makes
entries of bytes. May be imported here: model, errors, events, escaping; no other stage, and nothing of the client and
the checkpoint: `job` passes in a function that takes each batch.
"""
