"""The Celery application: durable messages, confirmed publishing, late acknowledgement."""

import os

from celery import Celery

app = Celery("chain", broker=os.environ["CHAIN_AMQP_URL"], include=["bench.chain.tasks"])
app.conf.update(
    task_ignore_result=True,
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_default_queue="chain",
    task_default_delivery_mode="persistent",
    broker_transport_options={"confirm_publish": True},
    broker_connection_retry_on_startup=True,
    worker_hijack_root_logger=False,
)
