import { subscriber } from "@voxbus/subscriber";
import { echo, echoConfig } from "./echo.ts";

await subscriber({ name: "echo", config: echoConfig }, echo);
