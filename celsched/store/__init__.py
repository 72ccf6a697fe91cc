"""The only SQL of celsched: tables, named queries and transactions. It decides nothing that `domain` can decide."""
