/** The command line as a process of its own, from source. */
import { main } from '../main.ts';

process.exitCode = await main(process.argv.slice(2));
