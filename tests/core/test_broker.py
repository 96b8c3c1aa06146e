import threading
from queue import Empty

from kombu import Connection

MESSAGES = 400


def connect(folder):
    options = {
        "data_folder_in": str(folder / "broker"),
        "data_folder_out": str(folder / "broker"),
        "control_folder": str(folder / "control"),
    }
    return Connection("filesystem://", transport="fulfillment.broker:Transport", transport_options=options)


def test_messages_written_and_read_at_once_are_never_halves(tmp_path):
    (tmp_path / "broker").mkdir()
    with connect(tmp_path) as connection:
        connection.SimpleQueue("work")  # binds the queue once, before the senders

    def send():
        with connect(tmp_path) as connection:
            queue = connection.SimpleQueue("work")
            for number in range(MESSAGES):
                queue.put({"number": number, "text": "x" * 5000})

    senders = [threading.Thread(target=send) for _sender in range(2)]
    for sender in senders:
        sender.start()
    received = 0
    with connect(tmp_path) as connection:
        channel = connection.channel()
        while received < 2 * MESSAGES:
            try:
                channel._get("work")
            except Empty:
                assert any(sender.is_alive() for sender in senders) or any((tmp_path / "broker").iterdir())
            else:
                received += 1
    for sender in senders:
        sender.join()

    assert received == 2 * MESSAGES
    assert list((tmp_path / "broker").iterdir()) == []


def test_exchange_is_whole_while_many_bind(tmp_path):
    (tmp_path / "broker").mkdir()

    def bind(number):
        with connect(tmp_path) as connection:
            connection.channel()._queue_bind("lanes", f"key-{number}", "", f"queue-{number}")

    threads = [threading.Thread(target=bind, args=[number]) for number in range(12)]
    for thread in threads:
        thread.start()
    with connect(tmp_path) as connection:
        channel = connection.channel()
        while any(thread.is_alive() for thread in threads):
            channel.get_table("lanes")
        assert {entry.queue for entry in channel.get_table("lanes")} == {
            f"queue-{number}" for number in range(12)
        }
