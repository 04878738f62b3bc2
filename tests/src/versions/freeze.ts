import { writeFileSync } from "node:fs";
import { describeContract } from "@voxbus/protocol";
import { root } from "../docs/markdown.ts";

// node tests/dist/versions/freeze.js 0.1.0: keeps the contract of a release, for the versions after it to be compared with.
const [version] = process.argv.slice(2);
if (version === undefined || !/^[\w.-]+$/.test(version)) {
  process.stderr.write("expected a version, such as 0.1.0\n");
  process.exit(2);
}
const lines = [...describeContract()].map(([file, schema]) => `${JSON.stringify(file)}: ${JSON.stringify(schema)}`);
writeFileSync(`${root}tests/src/versions/contracts/${version}.json`, `{\n${lines.join(",\n")}\n}\n`);
