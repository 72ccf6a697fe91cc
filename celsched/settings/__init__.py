"""Settings: what the operator decided, read once from flags, the environment and `celsched.toml` into a frozen record.

It never opens a store or a broker, and it is the only reader of the environment.
"""

from celsched.settings.load import load, subprocess_environment
from celsched.settings.model import NotifyTarget, PingTarget, Settings
from celsched.settings.secret import Secret, mask_url

__all__ = ["NotifyTarget", "PingTarget", "Secret", "Settings", "load", "mask_url", "subprocess_environment"]
