"""The laboratory: the venue on a throw-away chain, traded along a price path, with a report."""
