"""What a job did as one HTML page, for people who must show later what was deleted and what was not.

Begin with `flowreaper.report.report`, which gathers the facts; `page` writes them. May be imported here: `client` for
what codes mean, `store`, and what is below; no other stage. Commands that the page names are passed in.
"""
