"""What a machine without servers needs: PostgreSQL and RabbitMQ of its own, identities, the demo."""
