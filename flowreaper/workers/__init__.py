"""Sends claimed flows, and acts on the replies.

Begin with `flowreaper.workers.pool`, the worker pool; `flowreaper.workers.reply_handler` says what a reply does to
its flow and to the run: what is tried again, when a flow is done. May be imported here: of `flowreaper.client` the
codes, of `flowreaper.store` nothing of SQLite; no other stage. The limiter, the client and the sink are passed in.
"""
