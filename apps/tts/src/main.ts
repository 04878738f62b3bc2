import { subscriber } from "@voxbus/subscriber";
import { buildTts, tts } from "./app.ts";

await subscriber(tts, buildTts);
