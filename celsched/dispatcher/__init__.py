"""What `celsched run` does: decide due fire times, publish executions, recover, clean up. It never runs user code."""
