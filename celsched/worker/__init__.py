"""The worker: claims executions, runs their bodies in pool children, and watches them from its main process."""
