import { z } from "zod";
import { isName } from "../ids.ts";

/** Binary data; any Uint8Array, Buffers too. */
export const bytes = z.custom<Uint8Array>((value) => value instanceof Uint8Array, "must be binary");
/** The id of a session, a gateway or a group: a name that cannot widen a subject. */
export const name = z.string().refine(isName, "must be 1 to 64 characters of A-Z a-z 0-9 _ -");
/** The place of a frame among its session's published inbound frames, from 1. */
export const seq = z.number().int().min(1);
/** A count from 0. */
export const count = z.number().int().min(0);
/** ms since the epoch. */
export const at = z.number().int().min(0);
/** The number of a job's delivery, from 1. */
export const attempt = z.number().int().min(1);
/** The id of a reply. */
export const reply = z.string().min(1).max(160);
/** Text that people typed, spoke or hear, at most 65,536 characters. */
export const text = z.string().max(65_536);
