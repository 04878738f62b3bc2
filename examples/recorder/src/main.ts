import { subscriber } from "@voxbus/subscriber";
import { buildRecorder, recorder } from "./recorder.ts";

await subscriber(recorder, buildRecorder);
