"""Tells whoever asked: webhooks, and events by AMQP."""
