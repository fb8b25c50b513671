/** What tests start in the place of the compiled program. */
import { diffChild } from './diff-child.ts';

process.exit(await diffChild());
