import os
import pathlib
import subprocess
import tempfile
import unittest

import msgpack
import nats

import shopping_list


class ShoppingListTest(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.path = pathlib.Path(self.folder.name) / "list.json"
        command = [os.environ.get("VOXBUS_NATS_SERVER", "nats-server"), "-a", "127.0.0.1", "-p", "-1"]
        self.server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        for line in self.server.stderr:
            if "Listening for client connections on" in line:
                address = line.split()[-1]
            if "Server is ready" in line:
                break
        self.nc = await nats.connect(f"nats://{address}")
        await shopping_list.start(self.nc, self.path)
        self.calls = 0

    async def asyncTearDown(self):
        await self.nc.close()
        self.server.terminate()
        self.server.communicate()
        self.folder.cleanup()

    async def send(self, data):
        answer = await self.nc.request("tool.shopping_list", data, timeout=5)
        error = (answer.headers or {}).get("Nats-Service-Error")
        return f"error: {error}" if error else msgpack.unpackb(answer.data)["text"]

    async def call(self, identity=None, **args):
        self.calls += 1
        envelope = {"v": 1, "id": identity or f"s1:9:{self.calls}", "device": "d1", "session": "s1", "origin": 9}
        return await self.send(msgpack.packb({**envelope, "args": args, "deadline": 0}))

    async def test_items_are_added_removed_and_read(self):
        self.assertEqual(await self.call(action="read"), "The list is empty.")
        self.assertEqual(await self.call(action="add", item=" Milk "), "milk is on the list.")
        self.assertEqual(await self.call(action="add", item="milk"), "milk is on the list already.")
        self.assertEqual(await self.call(action="add", item="bread"), "bread is on the list.")
        self.assertEqual(await self.call(action="remove", item="milk"), "milk is off the list.")
        self.assertEqual(await self.call(action="remove", item="milk"), "milk is not on the list.")
        self.assertEqual(await self.call(action="read"), "On the list: bread.")
        self.assertEqual(shopping_list.ShoppingList(self.path).items, ["bread"])

    async def test_a_call_that_is_repeated_is_done_once(self):
        for _ in range(2):
            self.assertEqual(await self.call("s1:9:7", action="add", item="eggs"), "eggs is on the list.")

    async def test_bad_calls_are_refused_with_a_reason_for_the_model(self):
        self.assertEqual(await self.call(action="burn"), "error: action: expected add, remove or read")
        for item in ("", " ", "x" * 81, 7, None):
            self.assertEqual(
                await self.call(action="add", item=item), "error: item: expected a text of 1 to 80 characters"
            )
        for data in (b"", b"\xc1", msgpack.packb([]), msgpack.packb({"v": 1})):
            self.assertEqual(await self.send(data), "error: expected a tool call")
        self.assertEqual(await self.send(msgpack.packb({"v": 2})), "error: v: expected 1")
        self.assertEqual(await self.call(action="read"), "The list is empty.")

    async def test_the_list_is_bounded(self):
        for number in range(shopping_list.MOST_ITEMS):
            await self.call(action="add", item=f"item {number}")
        self.assertEqual(await self.call(action="add", item="more"), "error: the list is full: it has 100 items")

    async def test_a_list_that_cannot_be_saved_is_not_changed(self):
        self.path.with_name("list.json.new").mkdir()
        self.assertEqual(await self.call(action="add", item="milk"), "error: the list cannot be saved")
        self.assertEqual(await self.call(action="read"), "The list is empty.")


if __name__ == "__main__":
    unittest.main()
