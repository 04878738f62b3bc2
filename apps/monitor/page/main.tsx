import { render } from "preact";
import "uplot/dist/uPlot.min.css";
import "./shared/base.css";
import "./shared/controls.css";
import "./shared/layout.css";
import "./shared/legend.css";
import { App } from "./app.tsx";
import { followFleet } from "./shared/live-state.ts";

followFleet();
const place = document.getElementById("page");
if (place) render(<App />, place);
