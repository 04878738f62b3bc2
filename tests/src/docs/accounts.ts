import { loadPrograms } from "./generate.ts";
import { writeAccounts } from "./permissions.ts";

// Prints deploy/nats/accounts.conf for the systems with the given prefixes ("": none), as users of one account.
const prefixes = process.argv.slice(2);
const programs = await loadPrograms();
const streamsOf = (user: string) => programs.find(({ name }) => name === user)?.streams ?? [];
process.stdout.write(writeAccounts(streamsOf, prefixes));
