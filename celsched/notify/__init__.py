"""Channels: how a message leaves this machine. Nothing here knows the store, alerts or settings."""

from celsched.notify.channel import Outgoing as Outgoing
from celsched.notify.channel import Send as Send
from celsched.notify.channel import SendFailed as SendFailed
from celsched.notify.choose import Address as Address
from celsched.notify.choose import sender_of as sender_of
