"""What `celsched watch` does: look at the store, open and resolve alerts. It never dispatches or runs anything."""
