"""Deciders: what Twilio tells us after it took a text (status callbacks, incoming texts), and whether it was Twilio."""
