"""The HTTP and AMQP doors."""
