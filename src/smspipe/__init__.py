"""smspipe turns analytics events into text messages: each once, and with a reason for every one that was not sent."""

__version__ = "0.1.0"
