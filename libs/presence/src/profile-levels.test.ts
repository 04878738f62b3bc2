import { defaultProfile, groupProfile, OwnProfile, Profile, profileFields } from "@voxbus/protocol";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { listLevels, listSources, resolveProfile } from "./profile-levels.ts";

const groups = ["a", "b", "c"];
/** Values of some fields. A level has any of them. */
const values: { readonly [field: string]: fc.Arbitrary<unknown> } = {
  language: fc.constantFrom("en", "de", "zh-CN"),
  voice: fc.constantFrom("amy", "bob"),
  wakeWords: fc.array(fc.constantFrom("hey", "hello"), { maxLength: 2 }),
  greeting: fc.constantFrom("", "Hi."),
  lead: fc.integer({ min: 0, max: 3 }),
  engines: fc.record({ asr: fc.constant("x"), llm: fc.constantFrom("y", "none") }, { requiredKeys: [] }),
  model: fc.record({ temperature: fc.constantFrom(0, 1), maxTokens: fc.constantFrom(5, 9) }, { requiredKeys: [] }),
};
const fields = fc.record(values, { requiredKeys: [] }) as fc.Arbitrary<OwnProfile>;
const member = fc.record(
  { group: fc.constantFrom(...groups, "unknown"), groups: fc.array(fc.constantFrom(...groups), { maxLength: 3 }) },
  { requiredKeys: [] },
) as fc.Arbitrary<OwnProfile>;
const level = fc.option(fields, { nil: undefined });
const withGroups = fc.option(
  fc.tuple(fields, member).map(([own, of]) => ({ ...own, ...of })),
  { nil: undefined },
);

const valueOf = (own: object | undefined, field: string) =>
  field.split(".").reduce<unknown>((part, key) => (part as Record<string, unknown> | undefined)?.[key], own);

test("levels: each field has the value of the highest level that sets it, and says which one that is", () => {
  fc.assert(
    fc.property(withGroups, level, level, level, withGroups, (fleet, a, b, c, own) => {
      const stored = new Map([
        [defaultProfile, fleet],
        ...[a, b, c].map((fields, at) => [groupProfile(groups[at]!), fields] as const),
      ]);
      const levels = listLevels(own, (id) => stored.get(id));
      const profile = resolveProfile(levels);
      const sources = listSources(levels);
      const { group, groups: further = [] } = { ...fleet, ...own };
      const order = [...new Set([group, ...further])].flatMap((name) => name ?? []);
      const highestFirst: [string, OwnProfile | undefined][] = [
        ["device", own],
        ...order.map((name): [string, OwnProfile | undefined] => [`group:${name}`, stored.get(groupProfile(name))]),
        ["fleet", fleet],
        ["default", Profile.parse({})],
      ];
      const expected = profileFields.map((field) => {
        const [source, of] = highestFirst.find(([, of]) => valueOf(of, field) !== undefined) ?? ["default", undefined];
        return [field, valueOf(of, field), source];
      });
      expect(profileFields.map((field) => [field, valueOf(profile, field), sources[field]])).toEqual(expected);
      expect(Profile.parse(profile)).toEqual(profile);
    }),
    { numRuns: 200 },
  );
});
