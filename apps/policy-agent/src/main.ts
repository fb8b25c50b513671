/** `canal policy-agent`: not built yet. */
export {};
