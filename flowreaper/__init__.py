"""flowreaper: delete WhatsApp draft flows in bulk, at exactly the pace that the quota allows."""

__version__ = "0.1.0"
