import { connectAdmin, type Admin } from "@voxbus/bus";
import type { Shell } from "./command.ts";
import { connectOnce } from "./connect.ts";

/** Connects as an operator's tool, does `work`, and closes the connection. Throws as `Shell.connect` does. */
export async function withAdmin<T>(
  { env, tell, signal }: Pick<Shell, "env" | "tell" | "signal">,
  work: (admin: Admin) => Promise<T>,
): Promise<T> {
  const admin = await connectOnce({ env, tell: (line) => tell(`voxbus: ${line}`), signal }, connectAdmin);
  try {
    return await work(admin);
  } finally {
    await admin.close();
  }
}
