import { z } from "zod";
import { addRoute } from "../http/route.ts";
import type { App } from "../http/server.ts";
import { ShadowView } from "../shadows/shadow-view.ts";
import type { Shadows } from "../shadows/shadows.ts";

/** Adds the route that shows the shadows beside the real programs. */
export function addShadowRoute(app: App, shadows: Pick<Shadows, "list">): void {
  addRoute(app, "get", "/api/shadows", {
    summary: "The shadows, how far they agree with the real programs, and how much later they are",
    answer: z.object({ shadows: z.array(ShadowView) }),
    problems: [],
    handle: () => ({ shadows: [...shadows.list()] }),
  });
}
