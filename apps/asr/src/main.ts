import { subscriber } from "@voxbus/subscriber";
import { asr, buildAsr } from "./app.ts";

await subscriber(asr, buildAsr);
