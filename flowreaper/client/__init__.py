"""The service over HTTP, for one account.

Begin with `flowreaper.client.client`, which makes a reply of whatever happens; `flowreaper.client.codes` is the table
of what replies mean. May be imported here: nothing of the package but model, errors, events and escaping.

Nothing is imported in this file, and `flowreaper.client.endpoint` stays light: ``--help`` must stay fast.
"""
