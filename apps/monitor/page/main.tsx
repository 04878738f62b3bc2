import { render } from "preact";
import { App } from "./app.tsx";
import { followFleet } from "./fleet/fleet-state.ts";
import "uplot/dist/uPlot.min.css";
import "./style.css";

followFleet();
const place = document.getElementById("page");
if (place) render(<App />, place);
