"""The nouns of celsched and its decisions: frozen records and pure functions, with no I/O, no clock and no logging."""
