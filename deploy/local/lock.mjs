import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** Runs `work` in one process of this machine at a time for each cache directory. `onWait` is called if it must wait. */
export async function runAlone(cache, work, onWait) {
  mkdirSync(cache, { recursive: true });
  const lock = join(cache, "setup.lock");
  const mine = `${lock}.${process.pid}`;
  writeFileSync(mine, String(process.pid));
  try {
    for (let waited = false; !take(mine, lock); waited = true) {
      if (dropIfDead(lock, mine)) continue;
      if (!waited) onWait();
      await sleep(200);
    }
    try {
      return await work();
    } finally {
      rmSync(lock, { force: true });
    }
  } finally {
    rmSync(mine, { force: true });
  }
}

function take(mine, lock) {
  try {
    linkSync(mine, lock);
    return true;
  } catch (error) {
    if (error.code === "EEXIST") return false;
    throw error;
  }
}

/** Removes the lock of a dead process. The lock is moved aside first, and put back if a living process has taken it. */
function dropIfDead(lock, mine) {
  if (!isDead(lock)) return false;
  const aside = `${mine}.aside`;
  try {
    renameSync(lock, aside);
  } catch (error) {
    if (error.code === "ENOENT") return true;
    throw error;
  }
  if (!isDead(aside)) renameSync(aside, lock);
  else rmSync(aside);
  return true;
}

function isDead(lock) {
  try {
    process.kill(Number(readFileSync(lock, "utf8")), 0);
    return false;
  } catch (error) {
    return error.code === "ESRCH";
  }
}
