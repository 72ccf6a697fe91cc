"""Owns everything said to a message broker: the Celery app, sending, and asking workers. It never touches the store."""
