"""The embedded broker: kombu's folder of files, with every file complete from the moment it has its name.

The original writes messages and exchanges under their final names, so that a reader now and then finds half a file,
and its worker ends. Here a file is written beside and renamed.
"""

import fcntl
import time
import uuid
from pathlib import Path

from kombu.transport import filesystem
from kombu.utils.json import dumps


def write_whole(path, content):
    """Write a text file so that nobody ever sees a part of it."""
    beside = path.with_name(f"{path.name}.{uuid.uuid4()}.part")
    beside.write_text(content, encoding="utf-8")
    beside.replace(path)


class Channel(filesystem.Channel):
    def _put(self, queue, payload, **kwargs):
        name = f"{round(time.monotonic() * 1000)}_{uuid.uuid4()}.{queue}.msg"
        write_whole(Path(self.data_folder_out) / name, dumps(payload))

    def _queue_bind(self, exchange, routing_key, pattern, queue):
        self.control_folder.mkdir(parents=True, exist_ok=True)
        path = self._exchange_file(exchange)
        with (self.control_folder / f"{path.name}.lock").open("w") as guard:
            fcntl.flock(guard, fcntl.LOCK_EX)  # released with the file
            bound = self.get_table(exchange)
            wanted = filesystem.exchange_queue_t(routing_key or "", pattern or "", queue or "")
            if wanted not in bound:
                write_whole(path, dumps([wanted, *bound]))


class Transport(filesystem.Transport):
    Channel = Channel
