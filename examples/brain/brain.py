"""Answers devices in place of dialogue: those whose profile has the engine none, named in the arguments."""

import asyncio
import itertools
import os
import sys
import uuid

import msgpack
import nats

running = {}  # the task of each turn, by session and origin


async def think(text):
    """Yields the answer sentence by sentence, as soon as each is known. Your agent goes here."""
    if "door" not in text.lower():
        raise LookupError("this agent knows only doors")
    for sentence in ("Let me see.", "The door is open.", "Shall I close it?"):
        yield sentence
        await asyncio.sleep(0.3)


async def answer(nc, device, turn, text, trace):
    reply, numbers = uuid.uuid4().hex, itertools.count()

    async def say(text, **rest):
        n = next(numbers)
        envelope = {"v": 1, **turn, "reply": reply, "attempt": 1, "sentence": n, "text": text, **rest}
        subject, headers = f"device.{device}.say" + ("" if n else ".open"), {**trace, "Nats-Msg-Id": f"{reply}:{n}"}
        await nc.jetstream().publish(subject, msgpack.packb(envelope), headers=headers)

    async def signal():  # the gateway gives a turn up that shows no sign of life
        sign = {"v": 1, **turn, "kind": "control", "body": {"type": "working"}}
        while True:
            await nc.publish(f"device.{device}.out", msgpack.packb(sign))
            await asyncio.sleep(1)

    async def speak():
        async for sentence in think(text):
            await say(sentence, last=False)
        await say("", last=True)

    signs = asyncio.create_task(signal())
    try:
        await asyncio.wait_for(speak(), 60)
    except Exception as error:
        print("turn failed:", type(error).__name__, flush=True)
        await say("I am sorry, I cannot answer that.", last=True, outcome="failed")
    finally:
        signs.cancel()
        running.pop((turn["session"], turn["origin"]), None)


async def main():
    env, local = os.environ.get, "nats://127.0.0.1:4222"
    login = {"user": env("VOXBUS_NATS_USER"), "password": env("VOXBUS_NATS_PASSWORD")}
    nc = await nats.connect(env("VOXBUS_NATS_URL", local), name="brain", inbox_prefix="_INBOX.brain", **login)

    async def hear(message):
        heard, device = msgpack.unpackb(message.data), message.subject.removeprefix("stored.").split(".")[1]
        if heard["v"] != 1:
            return print("newer message skipped:", message.subject, flush=True)
        if heard.get("reason") == "nothing-heard":
            return
        session, origin = heard["session"], heard.get("origin") or heard["seq"]
        trace = {name: value for name, value in (message.headers or {}).items() if name in ("traceparent", "tracestate")}
        turn = answer(nc, device, {"session": session, "origin": origin}, heard.get("text", heard.get("body")), trace)
        running[session, origin] = asyncio.create_task(turn)

    async def fence(message):  # the user said stop, or the session ended
        frame = msgpack.unpackb(message.data)
        levels = {"abort": frame["seq"], "fence": frame["body"].get("fence"), "closed": float("inf")}
        for (session, origin), task in list(running.items()):
            if session == frame["session"] and origin <= levels.get(frame["body"]["type"], 0):
                task.cancel()

    for device in sys.argv[1:]:
        await nc.subscribe(f"stored.device.{device}.heard", queue="brain", cb=hear)
        await nc.subscribe(f"device.{device}.in.text", queue="brain", cb=hear)
        await nc.subscribe(f"device.{device}.in.control", cb=fence)
    await nc.flush()
    await nc.flush()  # the ping of the first one may overtake the subscriptions
    print("ready", flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
