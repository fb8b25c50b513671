/** What pods of `canalctl test` are started with. It is no command of the program: people have no use for it. */
export const SERVE_TEST = '__serve-test';
