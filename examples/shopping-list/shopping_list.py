"""Offers the tool shopping_list to the language models of devices: a list in a file."""

import asyncio
import json
import os
import pathlib
import signal
import sys

import msgpack
import nats
import nats.micro

MOST_ITEMS = 100
SCHEMA = {
    "type": "object",
    "properties": {
        "action": {"enum": ["add", "remove", "read"]},
        "item": {"type": "string", "minLength": 1, "maxLength": 80, "description": "absent for read"},
    },
    "required": ["action"],
    "additionalProperties": False,
}
METADATA = {
    "voxbus": "tool",
    "description": "The family's shopping list: adds an item, removes one, or reads the list.",
    "schema": json.dumps(SCHEMA),
    # A user who interrupts the answer does not want the item to be lost.
    "finishes": "true",
}


class Refusal(Exception):
    """A text that the model is told, so that it can correct itself."""


class ShoppingList:
    """A list in a JSON file, which is replaced as a whole."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.items = json.loads(self.path.read_text()) if self.path.exists() else []
        self.done = {}  # the results of the latest calls, by their ids: a call that is repeated is not done twice

    def call(self, identity, args):
        """Does a call, and returns the text for the model."""
        if identity not in self.done:
            self.done[identity] = self.change(args.get("action"), args.get("item"))
            if len(self.done) > 1000:
                del self.done[next(iter(self.done))]
        return self.done[identity]

    def change(self, action, item):
        if action == "read":
            return "The list is empty." if not self.items else "On the list: " + ", ".join(self.items) + "."
        if action not in ("add", "remove"):
            raise Refusal("action: expected add, remove or read")
        if not isinstance(item, str) or not 1 <= len(item.strip()) <= 80:
            raise Refusal("item: expected a text of 1 to 80 characters")
        item = item.strip().lower()
        if action == "add":
            if item in self.items:
                return f"{item} is on the list already."
            if len(self.items) >= MOST_ITEMS:
                raise Refusal(f"the list is full: it has {MOST_ITEMS} items")
            self.save([*self.items, item])
            return f"{item} is on the list."
        if item not in self.items:
            return f"{item} is not on the list."
        self.save([one for one in self.items if one != item])
        return f"{item} is off the list."

    def save(self, items):
        new = self.path.with_name(self.path.name + ".new")
        new.write_text(json.dumps(items))
        new.replace(self.path)
        self.items = items


async def start(nc, path):
    """Offers the tool until the connection closes."""
    shopping = ShoppingList(path)

    async def handle(request):
        try:
            call = msgpack.unpackb(request.data)
            if call["v"] != 1:
                raise Refusal("v: expected 1")
            text = shopping.call(call["id"], call["args"])
        except Refusal as refusal:
            return await request.respond_error("422", str(refusal))
        except (ValueError, TypeError, LookupError, AttributeError):
            return await request.respond_error("400", "expected a tool call")
        except OSError as error:
            print("list not saved:", error.strerror, file=sys.stderr, flush=True)
            return await request.respond_error("500", "the list cannot be saved")
        await request.respond(msgpack.packb({"v": 1, "text": text}))

    service = await nats.micro.add_service(nc, name="shopping-list", version="1.0.0")
    await service.add_endpoint(name="shopping_list", subject="tool.shopping_list", handler=handle, metadata=METADATA)
    await nc.flush()
    await nc.flush()  # the ping of the first one may overtake the subscriptions


async def main():
    nc = await nats.connect(
        os.environ.get("VOXBUS_NATS_URL", "nats://127.0.0.1:4222"),
        name="shopping-list",
        user=os.environ.get("VOXBUS_NATS_USER"),
        password=os.environ.get("VOXBUS_NATS_PASSWORD"),
        inbox_prefix="_INBOX.shopping-list",
        max_reconnect_attempts=-1,
    )
    stopped = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stopped.set)
    await start(nc, sys.argv[1] if len(sys.argv) > 1 else "shopping-list.json")
    print("ready", flush=True)
    await stopped.wait()
    await nc.drain()


if __name__ == "__main__":
    asyncio.run(main())
